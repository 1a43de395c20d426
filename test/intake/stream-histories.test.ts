import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PlatformModel } from './platform-model.ts'

type Step = { readonly kind: string; readonly value: number }

const weights: Record<string, number> = {
  advance: 3,
  write: 5,
  delete: 1,
  send: 10,
  heartbeat: 4,
  settle: 8,
  save: 2,
  cut: 2,
  kill: 1,
}

const steps = (more: Record<string, number> = {}) =>
  fc.array(
    fc.record({
      kind: fc.oneof(
        ...Object.entries({ ...weights, ...more }).map(([name, weight]) => ({
          arbitrary: fc.constant(name),
          weight,
        })),
      ),
      value: fc.nat(1_000_000),
    }),
    { maxLength: 160, size: 'max' },
  )

const dayMs = 86_400_000
const offset = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -90_000, max: 90_000 }),
  fc.integer({ min: -3_600_000, max: 3_600_000 }),
  fc.integer({ min: -dayMs, max: dayMs }),
)
const offsets = fc.record({ web: offset, database: offset, connector: offset })
const pageSize = fc.integer({ min: 1, max: 8 })
/** How old the stream is at the first start. */
const age = fc.oneof(fc.nat(180_000), fc.constant(3_600_000))

function take(model: PlatformModel, { kind, value }: Step): void {
  switch (kind) {
    case 'advance':
      model.advance(value % 40_000)
      return
    case 'write':
      model.write(value % 12, 1 + (value % 3), false)
      return
    case 'delete':
      model.write(value % 12, 1, true)
      return
    case 'send':
      model.send(value)
      return
    case 'heartbeat':
      model.heartbeat(value)
      return
    case 'settle':
      model.settle(value)
      return
    case 'save':
      model.save()
      return
    case 'cut':
      model.cut()
      return
    case 'kill':
      model.kill()
      return
    case 'trim':
      model.trim(value % 4)
      return
    case 'drift':
      model.offsets.web += (value % 2001) - 1000
      model.offsets.database += ((value * 31) % 2001) - 1000
      return
    default:
      model.offsets[value % 2 === 0 ? 'web' : 'database'] += ((value * 7919) % (2 * dayMs)) - dayMs
  }
}

function run(model: PlatformModel, history: readonly Step[]): void {
  for (const step of history) {
    take(model, step)
    model.check()
  }
  model.finish()
}

describe('any history of a stream', () => {
  it('never skips an event, and never saves a position in the future, whatever the three clocks say', () => {
    fc.assert(
      fc.property(offsets, pageSize, age, steps(), (clocks, size, ageMs, history) => {
        const model = new PlatformModel(clocks, size, ageMs)
        run(model, history)
        expect(model.missing()).toEqual([])
        expect(model.gaps).toBe(0)
      }),
      { numRuns: 600 },
    )
  })

  it('never skips an event while clocks drift and jump by up to a day', () => {
    fc.assert(
      fc.property(offsets, pageSize, steps({ drift: 4, jump: 2 }), (clocks, size, history) => {
        const model = new PlatformModel(clocks, size)
        // Until then a jump leaves objects behind that are not of any time that a catch-up asks for.
        for (let turn = 0; turn < 40 && model.caughtUp === 0; turn++) {
          while (model.send(turn)) model.settle(0)
          model.advance(5000)
          model.heartbeat(turn)
        }
        run(model, history)
        expect(model.missing()).toEqual([])
      }),
      { numRuns: 600 },
    )
  })

  it('never skips an event that the platform dropped without saying so, wherever the connector is', () => {
    fc.assert(
      fc.property(offsets, pageSize, age, steps({ trim: 2 }), (clocks, size, ageMs, history) => {
        const model = new PlatformModel(clocks, size, ageMs)
        run(model, history)
        expect(model.missing()).toEqual([])
      }),
      { numRuns: 600 },
    )
  })
})
