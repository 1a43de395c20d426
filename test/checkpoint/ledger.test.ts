import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/checkpoint/ledger.ts'
import { comparePositions, formatPosition, parsePosition } from '../../src/opencti/position.ts'
import { StreamModel } from './stream-model.ts'

const at = (text: string) => parsePosition(text)!
const start = () => new Ledger({ from: at('100000-0') })
const safeOf = (ledger: Ledger) => formatPosition(ledger.safe)

type Step = { readonly kind: string; readonly value: number }

const weights: Record<string, number> = {
  advance: 2,
  write: 4,
  send: 8,
  heartbeat: 3,
  settle: 7,
  reconnect: 1,
  repairGap: 1,
}
const step = fc.record({
  kind: fc.oneof(
    ...Object.entries(weights).map(([name, weight]) => ({ arbitrary: fc.constant(name), weight })),
  ),
  value: fc.nat(1_000_000),
})

function take(model: StreamModel, { kind, value }: Step): void {
  const shuffle = (length: number) => value % length
  if (kind === 'advance') model.advance(value % 20_000)
  else if (kind === 'write') model.write(1 + (value % 4))
  else if (kind === 'send') model.send()
  else if (kind === 'heartbeat') model.heartbeat()
  else if (kind === 'settle') model.settle(value)
  else if (kind === 'reconnect') model.reconnect(shuffle)
  else model.repairGap(shuffle)
}

describe('any history of a stream', () => {
  it('never claims what is unfinished or has not come, and arrives at the end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -20_000, max: 9999 }),
        fc.array(step, { maxLength: 150, size: 'max' }),
        (skewMs, steps) => {
          const model = new StreamModel(skewMs)
          for (const each of steps) {
            take(model, each)
            model.check()
          }
          const wanted = model.last
          model.finish()
          expect(model.missing()).toEqual([])
          if (wanted !== undefined) {
            expect(comparePositions(model.ledger.safe, wanted)).toBeGreaterThanOrEqual(0)
          }
        },
      ),
      { numRuns: 800 },
    )
  })

  it('never claims what was received and is unfinished, however wrong the clocks of the platform are', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10_000, max: 300_000 }),
        fc.array(step, { maxLength: 150, size: 'max' }),
        (skewMs, steps) => {
          const model = new StreamModel(skewMs)
          for (const each of steps) {
            take(model, each)
            model.check()
          }
          model.finish()
        },
      ),
      { numRuns: 800 },
    )
  })
})

describe('a live stream', () => {
  it('does not save an id before a greater one was seen, though its only frame is finished', () => {
    const ledger = start()
    ledger.settle(ledger.receive(at('100010-0'), 'create:a', true)!)
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.heartbeat(at('100010-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.heartbeat(at('100011-0'))
    expect(safeOf(ledger)).toBe('100010-0')
  })

  it('waits for every frame of an id, in whatever order they finish', () => {
    const ledger = start()
    const tickets = ['a', 'b', 'c'].map((member) => ledger.receive(at('100010-0'), member, false)!)
    const next = ledger.receive(at('100010-1'), 'd', true)!
    ledger.settle(next)
    for (const ticket of tickets.toReversed()) {
      expect(safeOf(ledger)).toBe('100000-0')
      ledger.settle(ticket)
    }
    expect(safeOf(ledger)).toBe('100010-0')
  })

  it('compares ids as numbers', () => {
    const ledger = new Ledger({ from: at('9-9') })
    ledger.settle(ledger.receive(at('9-10'), 'a', true)!)
    ledger.settle(ledger.receive(at('10-0'), 'b', true)!)
    expect(safeOf(ledger)).toBe('9-10')
  })

  it('moves with the heartbeats of a quiet stream, ten seconds behind them', () => {
    const ledger = start()
    ledger.heartbeat(at('105000-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.heartbeat(at('200000-0'))
    expect(safeOf(ledger)).toBe('190000-0')
    expect(formatPosition(ledger.resume)).toBe('190000-0')
  })

  it('keeps no memory of heartbeats that wait behind an event that takes a day', () => {
    const ledger = start()
    const slow = ledger.receive(at('100010-0'), 'a', true)!
    for (let ms = 100_020; ms < 100_020 + 86_400_000; ms += 5000) ledger.heartbeat({ ms, seq: 0 })
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.settle(slow)
    expect(ledger.safe.ms).toBeGreaterThan(86_400_000)
  })

  it('takes a frame that comes again after a reconnect for a duplicate, once, and not its twin', () => {
    const ledger = start()
    expect(ledger.receive(at('100010-0'), 'create+a', false)).toBeDefined()
    ledger.reconnected()
    expect(formatPosition(ledger.resume)).toBe('100000-0')
    expect(ledger.receive(at('100010-0'), 'create+a', false)).toBeUndefined()
    expect(ledger.receive(at('100010-0'), 'create+a', false)).toBeDefined()
    expect(ledger.receive(at('100010-0'), 'update:b', true)).toBeDefined()
  })

  it('steps back for an event that a heartbeat of a wrong clock had passed, also behind slow work', () => {
    const ledger = start()
    const slow = ledger.receive(at('100010-0'), 'a', true)!
    ledger.heartbeat(at('200000-0'))
    const late = ledger.receive(at('150000-0'), 'b', true)!
    ledger.settle(slow)
    expect(comparePositions(ledger.safe, at('150000-0'))).toBeLessThan(0)
    expect(comparePositions(ledger.resume, at('150000-0'))).toBeLessThan(0)
    ledger.settle(late)
    // From now on the margin is as wide as the clocks were apart.
    ledger.heartbeat(at('210000-0'))
    expect(safeOf(ledger)).toBe('150000-0')
    ledger.heartbeat(at('300000-0'))
    expect(safeOf(ledger)).toBe('240000-0')
  })

  it('keeps its place for a frame without an id', () => {
    const ledger = start()
    ledger.settle(ledger.receive(at('100010-0'), 'a', true)!)
    const nameless = ledger.receive(undefined, 'b', true)!
    ledger.heartbeat(at('200000-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.settle(nameless)
    expect(safeOf(ledger)).toBe('190000-0')
  })
})

describe('a catch-up', () => {
  it('keeps the position where it began until a later id was seen and all of it is finished', () => {
    const ledger = new Ledger({ from: at('100000-0'), catchUpUntilMs: 200_000 })
    const tickets = [150_000, 120_000, 200_000, 110_000].map((ms) =>
      ledger.receive({ ms, seq: 0 }, `create:${ms}`, true)!,
    )
    for (const ticket of tickets.slice(1)) ledger.settle(ticket)
    ledger.heartbeat(at('200000-0'))
    expect(ledger.catchingUp).toBe(true)
    const live = ledger.receive(at('200001-0'), 'update:x', true)!
    expect(ledger.catchingUp).toBe(false)
    expect(safeOf(ledger)).toBe('100000-0')
    expect(formatPosition(ledger.resume)).toBe('200000-0')
    ledger.settle(tickets[0]!)
    expect(safeOf(ledger)).toBe('200000-0')
    ledger.settle(live)
    ledger.heartbeat(at('200002-0'))
    expect(safeOf(ledger)).toBe('200001-0')
  })

  it('is none when it would end before it begins', () => {
    const ledger = new Ledger({ from: at('100000-0'), catchUpUntilMs: 100_000 })
    expect(ledger.catchingUp).toBe(false)
  })

  it('that the server refuses goes on live where the server says', () => {
    const ledger = new Ledger({ from: at('100000-0'), catchUpUntilMs: 200_000 })
    ledger.abandonCatchUp(at('200000-0'))
    expect(ledger.catchingUp).toBe(false)
    expect(safeOf(ledger)).toBe('200000-0')
    ledger.settle(ledger.receive(at('200005-0'), 'a', true)!)
    ledger.heartbeat(at('200006-0'))
    expect(safeOf(ledger)).toBe('200005-0')
  })

  it('begun anew while one is under way still comes to an end', () => {
    const ledger = new Ledger({ from: at('100000-0'), catchUpUntilMs: 200_000 })
    const first = ledger.receive(at('150000-0'), 'a', true)!
    ledger.beginCatchUp(300_000)
    ledger.settle(ledger.receive(at('250000-0'), 'b', true)!)
    ledger.heartbeat(at('300001-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.settle(first)
    expect(safeOf(ledger)).toBe('300000-0')
  })
})
