import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PermanentError, RetryableError, SkipEvent } from '../../src/errors/steering-errors.ts'
import { type StreamConnectorError } from '../../src/errors/stream-connector-error.ts'
import { delivered, type Outcome } from '../../src/events/event-counters.ts'
import { type ItemAnswer } from '../../src/flow/flush-answer.ts'
import { type Operation } from '../../src/events/operation.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench } from '../fixtures/bench.ts'
import { queueDepth } from '../../src/flow/queue-depth.ts'

type Fate = 'ok' | 'skip' | 'reject' | 'retry' | 'plain' | 'status' | 'down' | 'forbidden'

interface Planned {
  readonly key: number
  readonly joined: readonly number[]
  readonly kind: 'create' | 'update' | 'delete'
  readonly pauseMs: number
  /** One a try; after the last one it works. */
  readonly fates: readonly { readonly fate: Fate; readonly takesMs: number }[]
}

const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>('ok'), weight: 8 },
  fc.constantFrom<Fate>('skip', 'reject', 'retry', 'plain', 'status', 'down', 'forbidden'),
)
const planned: fc.Arbitrary<Planned> = fc.record({
  key: fc.nat(5),
  joined: fc.oneof(
    { arbitrary: fc.constant([]), weight: 5 },
    fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }),
  ),
  kind: fc.constantFrom('create', 'update', 'delete'),
  pauseMs: fc.oneof(fc.constant(0), fc.nat(3000)),
  fates: fc.array(fc.record({ fate, takesMs: fc.oneof(fc.constant(0), fc.nat(5000)) }), { maxLength: 3 }),
})
const histories = fc.record({
  plan: fc.array(planned, { minLength: 1, maxLength: 40, size: 'max' }),
  concurrency: fc.integer({ min: 1, max: 16 }),
  attempts: fc.integer({ min: 1, max: 4 }),
  coalesce: fc.constantFrom<false | 'latest'>(false, 'latest'),
  rate: fc.constantFrom(undefined, { perSecond: 5, burst: 2 }),
})

function errorOf(fate: Exclude<Fate, 'ok'>): Error {
  switch (fate) {
    case 'skip':
      return new SkipEvent('not-wanted')
    case 'reject':
      return new PermanentError('never')
    case 'retry':
      return new RetryableError('later', { retryAfterMs: 700 })
    case 'plain':
      return new Error('no idea')
    case 'status':
      return Object.assign(new Error('bad request'), { status: 400 })
    case 'forbidden':
      return Object.assign(new Error('forbidden'), { status: 403 })
    default:
      return Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  }
}

/** Watches that the work on one lane is one after another, in order of arrival. */
class LaneWatch {
  readonly #busy = new Map<string, Operation>()
  readonly #order = new Map<Operation, number>()
  readonly #newest = new Map<string, number>()

  pushed(operation: Operation): void {
    if (!this.#order.has(operation)) this.#order.set(operation, this.#order.size)
  }

  begins(operation: Operation): void {
    for (const lane of [operation.key, ...operation.joined]) {
      if (this.#busy.has(lane)) throw new Error(`two at a time in lane ${lane}`)
      this.#busy.set(lane, operation)
      const order = this.#order.get(operation)!
      if (order < (this.#newest.get(lane) ?? -1)) throw new Error(`out of order in lane ${lane}`)
      this.#newest.set(lane, order)
    }
  }

  ends(operation: Operation): void {
    for (const lane of [operation.key, ...operation.joined]) this.#busy.delete(lane)
  }
}

type History = typeof histories extends fc.Arbitrary<infer T> ? T : never

/** Something that happens before the operation of this place is pushed; answers whether more are. */
interface Interruption {
  readonly at: number
  readonly with: (bench: Bench) => boolean | Promise<boolean>
}

/** Runs a history, one call for each operation or in batches. */
async function play(history: History, bulk: boolean, interruption?: Interruption) {
  const watch = new LaneWatch()
  let running = 0
  let mostAtATime = 0
  const tries = new Map<Operation, number>()
  const nextOf = (operation: Operation) => {
    const index = tries.get(operation) ?? 0
    tries.set(operation, index + 1)
    return plans.get(operation.pendingEvent)?.fates[index] ?? { fate: 'ok' as const, takesMs: 10 }
  }
  const plans = new Map<unknown, Planned>()
  const call = async (operations: readonly Operation[], takesMs: number) => {
    running++
    mostAtATime = Math.max(mostAtATime, running)
    for (const operation of operations) watch.begins(operation)
    if (takesMs > 0) await delay(bench.clock, takesMs)
    for (const operation of operations) watch.ends(operation)
    running--
  }
  const one = async (operation: Operation) => {
    const { fate, takesMs } = nextOf(operation)
    await call([operation], takesMs)
    if (fate !== 'ok') throw errorOf(fate)
    return delivered
  }
  const batch = async (operations: readonly Operation[]): Promise<readonly ItemAnswer[]> => {
    const next = operations.map(nextOf)
    await call(operations, Math.max(...next.map(({ takesMs }) => takesMs)))
    const whole = next.find((each) => ['down', 'status', 'plain', 'forbidden', 'skip'].includes(each.fate))
    if (whole !== undefined) throw errorOf(whole.fate as 'down')
    return next.map((each): ItemAnswer => {
      if (each.fate === 'ok') return { status: 'ok' }
      const status = each.fate === 'retry' ? 'retry' : 'reject'
      return { status, error: errorOf(each.fate) as StreamConnectorError }
    })
  }
  const bench = new Bench(
    { ...history, batch: { maxItems: 4, maxInFlight: 2, maxWaitMs: 2000 } },
    bulk ? async () => undefined : one,
    bulk ? batch : undefined,
  )
  const push = bench.engine.push.bind(bench.engine)
  bench.engine.push = (operation) => {
    watch.pushed(operation)
    push(operation)
  }
  for (const [index, each] of history.plan.entries()) {
    if (index === interruption?.at && !(await interruption.with(bench))) return { bench, mostAtATime }
    const key = `k${each.key}`
    const joined = each.joined.map((lane) => `k${lane}`).filter((lane) => lane !== key)
    bench.push(key, { kind: each.kind, joined, onMade: (made) => plans.set(made, each) })
    await bench.clock.advance(each.pauseMs)
    const { received, delivered: done, skipped, deadLettered, inFlight } = bench.counters.snapshot()
    expect(received).toBe(done + skipped + deadLettered + inFlight)
  }
  await bench.settle()
  bench.engine.stop()
  return { bench, mostAtATime }
}

function expectAllIsTold({ endings, counters, clock }: Bench): void {
  for (const outcomes of endings.values()) expect(outcomes).toHaveLength(1)
  const { received, delivered: done, skipped, deadLettered, inFlight } = counters.snapshot()
  expect({ received, inFlight }).toEqual({ received: endings.size, inFlight: 0 })
  expect(done + skipped + deadLettered).toBe(received)
  expect(clock.pending).toBe(0)
}

const droppedOutcome: Outcome = { kind: 'skipped', reason: 'dropped' }

/** Drops all that can be dropped, as a reset does. */
function drop({ engine }: Bench): void {
  for (const operation of engine.clear()) operation.finish(droppedOutcome, droppedOutcome)
}

/** Nothing is started any more, and what is under way ends. */
async function stop({ engine, clock }: Bench): Promise<void> {
  engine.stop()
  let isAtRest = false
  void engine.rest().then(() => (isAtRest = true))
  await clock.advance(5000)
  expect(isAtRest).toBe(true)
  expect(clock.pending).toBe(0)
}

describe('any history of operations', () => {
  it('keeps the order of each entity, one call at a time, and ends every event once', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const { bench, mostAtATime } = await play(history, false)
        expectAllIsTold(bench)
        expect(mostAtATime).toBeLessThanOrEqual(history.concurrency)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps these promises with batches, too', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const { bench, mostAtATime } = await play(history, true)
        expectAllIsTold(bench)
        expect(mostAtATime).toBeLessThanOrEqual(2)
      }),
      { numRuns: 60 },
    )
  })

  for (const bulk of [false, true]) {
    const how = bulk ? 'in batches' : 'alone'
    it(`${how}, can be dropped at any moment, and later operations keep all that`, async () => {
      await fc.assert(
        fc.asyncProperty(histories, fc.nat(40), async (history, at) => {
          const reset = (bench: Bench) => {
            drop(bench)
            return true
          }
          const { bench } = await play(history, bulk, { at, with: reset })
          expectAllIsTold(bench)
          expect(queueDepth(bench.engine.queueView)).toMatchObject({
            running: { events: 0 },
            waiting: { events: 0 },
          })
        }),
        { numRuns: 60 },
      )
    })

    it(`${how}, can be stopped at any moment: it waits only for running hooks, and nothing is lost`, async () => {
      await fc.assert(
        fc.asyncProperty(histories, fc.nat(40), async (history, at) => {
          const halt = async (bench: Bench) => {
            await stop(bench)
            const { inFlight } = bench.counters.snapshot()
            const untold = [...bench.endings.values()].filter((outcomes) => outcomes.length === 0)
            expect(untold).toHaveLength(inFlight)
            drop(bench)
            expectAllIsTold(bench)
            expect(bench.engine.size).toBe(0)
            return false
          }
          await play(history, bulk, { at: Math.min(at, history.plan.length - 1), with: halt })
        }),
        { numRuns: 60 },
      )
    })
  }
})
