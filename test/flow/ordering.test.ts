import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PermanentError, RetryableError, SkipEvent } from '../../src/errors/steering-errors.ts'
import { delivered } from '../../src/events/event-counters.ts'
import { type Operation } from '../../src/events/operation.ts'
import { referencesOf } from '../../src/stix/read/references-of.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench, type BenchOptions } from '../fixtures/bench.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

const fates = ['ok', 'ok', 'ok', 'skip', 'reject', 'retry', 'busy'] as const

const planned = fc.record({
  key: fc.nat(5),
  names: fc.uniqueArray(fc.nat(5), { maxLength: 3 }),
  joined: fc.oneof(
    { arbitrary: fc.constant([]), weight: 6 },
    fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 2 }),
  ),
  kind: fc.constantFrom('create', 'update', 'delete'),
  pauseMs: fc.oneof(fc.constant(0), fc.nat(3000)),
  tries: fc.array(fc.record({ fate: fc.constantFrom(...fates), takesMs: fc.nat(3000) }), { maxLength: 3 }),
})
const histories = fc.record({
  plan: fc.array(planned, { minLength: 1, maxLength: 40, size: 'max' }),
  concurrency: fc.integer({ min: 1, max: 16 }),
  coalesce: fc.constantFrom<false | 'latest'>(false, 'latest'),
  clearAfter: fc.option(fc.nat(40)),
})

function errorOf(fate: 'skip' | 'reject' | 'retry' | 'busy'): Error {
  if (fate === 'skip') return new SkipEvent('not-wanted')
  if (fate === 'reject') return new PermanentError('never')
  if (fate === 'retry') return new RetryableError('later')
  return errorWithStatus(503, 'busy')
}

/** The entities that an operation is about, and those that it names. */
const about = ({ key, joined }: Operation): readonly string[] => [key, ...joined]
const named = ({ entity }: Operation): readonly string[] =>
  referencesOf(entity).map((id) => id.slice('indicator--'.length))
const touches = (one: readonly string[], other: readonly string[]) => one.some((key) => other.includes(key))

/** Whether the one has to wait for the other when that came before it. */
const conflicts = {
  reference: (one: Operation, other: Operation) =>
    touches(about(one), about(other)) || named(one).includes(other.key) || named(other).includes(one.key),
  strict: () => true,
} as const

describe.each(['reference', 'strict'] as const)('the order "%s"', (ordering) => {
  it('holds through retries, skips, dead letters, merges, coalescing and resets, and everything ends', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async ({ plan, concurrency, coalesce, clearAfter }) => {
        const order = new Map<Operation, number>()
        const unfinished = new Set<Operation>()
        const busy = new Set<Operation>()
        const tries = new Map<unknown, number>()
        const bench = new Bench({ ordering, concurrency, coalesce, attempts: 3 }, async (operation) => {
          for (const other of unfinished) {
            if (other === operation || !conflicts[ordering](operation, other)) continue
            if (busy.has(other)) throw new Error('two at a time')
            if (order.get(other)! < order.get(operation)!) throw new Error('one was overtaken')
          }
          busy.add(operation)
          const count = (tries.get(operation) ?? 0) + 1
          tries.set(operation, count)
          const { key } = operation.event
          const step = plans.get(operation.pendingEvent)?.tries[count - 1]
          if (step !== undefined) await delay(bench.clock, step.takesMs, new AbortController().signal)
          busy.delete(operation)
          if (key === '' || step === undefined || step.fate === 'ok') return delivered
          throw errorOf(step.fate)
        })
        const plans = new Map<unknown, (typeof plan)[number]>()
        const { engine } = bench
        const push = engine.push.bind(engine)
        engine.push = (operation) => {
          const before = engine.size
          order.set(operation, order.size)
          unfinished.add(operation)
          const { finish } = operation
          operation.finish = (...args) => {
            unfinished.delete(operation)
            finish.apply(operation, args)
          }
          push(operation)
          // It was folded into an earlier one, which has its place.
          if (engine.size === before) unfinished.delete(operation)
        }
        let pushed = 0
        for (const each of plan) {
          const others: readonly number[] = each.joined
          const joined = others.filter((key) => key !== each.key).map(String)
          const { kind } = each
          bench.push(String(each.key), {
            kind: joined.length > 0 ? 'update' : kind,
            joined,
            names: each.names.map(String),
            onMade: (made) => plans.set(made, each),
          })
          if (pushed++ === clearAfter) {
            for (const operation of engine.clear()) operation.finish({ kind: 'skipped', reason: 'reset' })
          }
          if (each.pauseMs > 0) await bench.clock.advance(each.pauseMs)
        }
        await bench.settle()
        expect([...unfinished]).toEqual([])
        for (const outcomes of bench.endings.values()) expect(outcomes).toHaveLength(1)
        const counters = bench.counters.snapshot()
        expect(counters.inFlight).toBe(0)
        expect(bench.deadLetters.filter(({ reason }) => /overtaken|two at/.test(reason))).toEqual([])
      }),
      { numRuns: 150 },
    )
  })
})

/** A bench whose target holds every call until it is let go. */
function heldBench(options: BenchOptions) {
  const calls: string[] = []
  const held = new Map<string, PromiseWithResolvers<void>>()
  const bench = new Bench(options, async ({ entity }) => {
    const name = entity.id.slice('indicator--'.length)
    calls.push(name)
    const gate = Promise.withResolvers<void>()
    held.set(name, gate)
    await gate.promise
    return delivered
  })
  const turn = () => bench.clock.advance(1)
  return {
    bench,
    calls,
    async release(name: string) {
      held.get(name)!.resolve()
      await turn()
    },
    async fail(name: string) {
      held.get(name)!.reject(errorWithStatus(503, 'busy'))
      await turn()
    },
    turn,
  }
}

describe('by reference', () => {
  it('makes a relationship wait while its ends are retried, and nothing else', async () => {
    const { bench, calls, release, fail, turn } = heldBench({ ordering: 'reference' })
    bench.push('malware')
    bench.push('indicator')
    bench.push('relationship', { names: ['malware', 'indicator'] })
    bench.push('other')
    await turn()
    expect(calls).toEqual(['malware', 'indicator', 'other'])
    await fail('malware')
    await release('indicator')
    await bench.clock.advance(10_000)
    expect(calls).toEqual(['malware', 'indicator', 'other', 'malware'])
    await release('malware')
    expect(calls.at(-1)).toBe('relationship')
  })

  it('runs entities that name the same one in parallel, and makes its delete wait for them', async () => {
    const { bench, calls, release, turn } = heldBench({ ordering: 'reference' })
    bench.push('one', { names: ['author'] })
    bench.push('two', { names: ['author'] })
    bench.push('author', { kind: 'delete' })
    bench.push('three', { names: ['author'] })
    await turn()
    expect(calls).toEqual(['one', 'two'])
    await release('one')
    expect(calls).toHaveLength(2)
    await release('two')
    expect(calls.at(-1)).toBe('author')
    await release('author')
    expect(calls.at(-1)).toBe('three')
  })

  it('puts an entity that names another in a later batch than that', async () => {
    const batches: string[][] = []
    const bench = new Bench(
      { ordering: 'reference', batch: { maxItems: 10, maxWaitMs: 1000 } },
      async () => undefined,
      async (operations) => {
        batches.push(operations.map(({ key }) => key))
        return operations.map(() => ({ status: 'ok' as const }))
      },
    )
    bench.push('a')
    bench.push('b', { names: ['a'] })
    bench.push('c')
    for (let second = 0; second < 5; second++) await bench.clock.advance(1000)
    expect(batches).toEqual([['a', 'c'], ['b']])
  })

  it('does not coalesce a state that names something that came in between', async () => {
    const { bench, calls, release, turn } = heldBench({
      ordering: 'reference',
      coalesce: 'latest',
      concurrency: 1,
    })
    bench.push('busy')
    await turn()
    bench.push('report', { names: [] })
    bench.push('malware')
    bench.push('report', { names: ['malware'] })
    await release('busy')
    await release('report')
    await release('malware')
    expect(calls).toEqual(['busy', 'report', 'malware', 'report'])
  })
})

describe('strictly', () => {
  it('counts the target as down if its only event fails again and again, and continues in order', async () => {
    let isDown = true
    const calls: string[] = []
    const bench = new Bench({ ordering: 'strict', attempts: 3 }, async ({ key }) => {
      if (isDown) throw errorWithStatus(500, 'busy')
      calls.push(key)
      return delivered
    })
    for (const key of ['a', 'b']) bench.push(key)
    await bench.clock.advance(600_000)
    expect(bench.outages).toEqual(['busy'])
    isDown = false
    await bench.settle()
    expect(calls).toEqual(['a', 'b'])
    expect(bench.deadLetters).toEqual([])
    expect(bench.outages).toEqual(['busy', undefined])
  })

  it.each([false, true])(
    'gives up an event that fails for its own reasons, although only it could show that the target is back (in batches: %s)',
    async (isBulk) => {
      const call = async (key: string) => {
        if (bench.clock.monotonic() < 60_000) throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
        if (key === 'bad') throw new Error('no mapping')
      }
      const bench: Bench = new Bench(
        { ordering: 'strict' },
        async ({ key }) => {
          if (isBulk) return undefined
          await call(key)
          return delivered
        },
        isBulk
          ? async ([operation]) => [await call(operation!.key).then(() => ({ status: 'ok' }))]
          : undefined,
      )
      for (const key of ['bad', 'good', 'bad', 'better']) bench.push(key)
      await bench.clock.advance(60_000)
      expect(bench.deadLetters).toEqual([])
      await bench.clock.advance(10 * 60_000)
      expect(bench.deadLetters.map(({ key }) => key)).toEqual(['bad', 'bad'])
      expect(bench.counters.snapshot()).toMatchObject({ delivered: 2, inFlight: 0 })
      expect(bench.outages).toEqual(['down', undefined])
    },
  )

  it('sends one item after another in batches too, without waiting for more', async () => {
    const batches: string[][] = []
    const bench = new Bench(
      { ordering: 'strict' },
      async () => undefined,
      async (operations) => {
        batches.push(operations.map(({ key }) => key))
        return operations.map(() => ({ status: 'ok' as const }))
      },
    )
    for (const key of ['a', 'b', 'a', 'c']) bench.push(key)
    await bench.clock.advance(1)
    expect(batches).toEqual([['a'], ['b'], ['a'], ['c']])
  })
})
