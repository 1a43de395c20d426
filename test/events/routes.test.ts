import { describe, expect, it } from 'vitest'
import { EventCounters, delivered, type Outcome } from '../../src/events/event-counters.ts'
import { coalesce } from '../../src/events/coalesce.ts'
import { PendingEvent } from '../../src/events/pending-event.ts'
import { Engine } from '../../src/flow/engine.ts'
import { RouteLimiter, TokenBucket } from '../../src/flow/target-limits.ts'
import { Operation } from '../../src/events/operation.ts'
import { entityKeyOfLane, laneOf, Route } from '../../src/events/routes.ts'
import { RetryableError } from '../../src/errors/steering-errors.ts'
import { deliverySchema } from '../../src/settings/schemas/delivery-schema.ts'
import { type RouteOptions } from '../../src/settings/schemas/route-options.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { delivery, eventOf } from '../fixtures/bench.ts'
import { quietHandler } from '../fixtures/quiet-handler.ts'
import { quietListener } from '../fixtures/quiet-listener.ts'

interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** Engine of some routes, before a target that notes what it is told and when. */
class RouteBench {
  readonly clock = new ManualClock()
  readonly counters = new EventCounters()
  readonly engines: Engine
  readonly routes: readonly Route[]
  /** As `route key at ms`. */
  readonly told: string[] = []
  fails: (operation: Operation) => Error | undefined = () => undefined

  constructor(routes: Record<string, RouteOptions>, shared: Rate) {
    const bucket = new TokenBucket(shared, this.clock)
    this.engines = new Engine({
      counters: this.counters,
      clock: this.clock,
      random: () => 0.5,
      logger: silentLogger,
      bulk: false,
    })
    const parts = {
      listener: quietListener,
      handler: {
        ...quietHandler,
        deliver: async (operation: Operation) => {
          const { route, entityKey } = operation
          this.told.push(`${route!.name} ${entityKey} at ${this.clock.monotonic()}`)
          const error = this.fails(operation)
          if (error !== undefined) throw error
          return delivered
        },
      },
    }
    this.engines.add(undefined, { ...parts, delivery: delivery(), bucket })
    this.routes = deliverySchema.parse({ routes }).routes.map((options) => {
      const route = new Route({ name: options.name, counters: this.counters, options, clock: this.clock })
      const { rateLimit, concurrency = 8 } = options
      const own = rateLimit === undefined ? undefined : new TokenBucket(rateLimit, this.clock)
      this.engines.add(route, {
        ...parts,
        delivery: delivery({ concurrency }),
        bucket: new RouteLimiter({ own, shared: bucket, clock: this.clock }),
      })
      return route
    })
  }

  /** One event of this key, with an operation for each route. */
  push(key: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const made = new PendingEvent(eventOf(key), {
        settle: (_, outcome) => resolve(outcome),
        shrink: () => {},
      })
      made.split(this.routes.length)
      for (const route of this.routes) {
        const { entity } = made.event
        this.engines.push(
          new Operation('update', made, entity, route.laneOf(key), undefined, undefined, route),
        )
      }
    })
  }

  timesOf(route: string): number[] {
    return this.told
      .filter((line) => line.startsWith(`${route} `))
      .map((line) => Number(line.split(' at ')[1]))
  }
}

const plenty: Rate = { perSecond: 1e6, burst: 1e6 }

describe('limits', () => {
  it('a route that waits for its tokens delays no other', async () => {
    const bench = new RouteBench({ slow: { rateLimit: { perSecond: 1, burst: 1 } }, fast: {} }, plenty)
    for (let index = 0; index < 5; index++) void bench.push(`k${index}`)
    await bench.clock.advance(0)
    expect(bench.timesOf('fast')).toEqual([0, 0, 0, 0, 0])
    expect(bench.timesOf('slow')).toEqual([0])
    await bench.clock.advance(10_000)
    expect(bench.timesOf('slow')).toEqual([0, 1000, 2000, 3000, 4000])
  })

  it("routes share the connector's bucket in turn, and none of them starves", async () => {
    const bench = new RouteBench({ one: {}, two: {}, three: {} }, { perSecond: 10, burst: 3 })
    for (let index = 0; index < 20; index++) void bench.push(`k${index}`)
    await bench.clock.advance(2000)
    const counts = ['one', 'two', 'three'].map((name) => bench.timesOf(name).length)
    const all = counts.reduce((sum, count) => sum + count, 0)
    expect(all).toBeGreaterThanOrEqual(22)
    expect(all).toBeLessThanOrEqual(23)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3)
    await bench.clock.advance(10_000)
    expect(bench.told).toHaveLength(60)
  })

  it.each([
    ['with a limit of its own, only it', { rateLimit: { perSecond: 1000, burst: 1000 } }, [0, 0]],
    ['without one, everything', {}, [0, 5000]],
  ])('when the channel of a route asks for a pause: %s', async (_, options, others) => {
    const bench = new RouteBench({ asked: options, other: {} }, plenty)
    const retryAfterMs = 5000
    bench.fails = ({ route, attempts }) =>
      route!.name === 'asked' && attempts.count === 1
        ? new RetryableError('slow down', { retryAfterMs })
        : undefined
    void bench.push('first')
    await bench.clock.advance(0)
    void bench.push('second')
    await bench.clock.advance(4999)
    expect(bench.timesOf('asked')).toEqual([0])
    await bench.clock.advance(20_000)
    expect(bench.timesOf('asked')).toHaveLength(4)
    expect(bench.timesOf('other')).toEqual(others)
  })

  it('a route has its own maximum of parallel hooks', async () => {
    const bench = new RouteBench({ single: { concurrency: 1 }, wide: {} }, plenty)
    for (let index = 0; index < 4; index++) void bench.push(`k${index}`)
    // Hooks begin once everything of this turn is queued. Nothing has ended yet: what was told is at work side by side.
    await undefined
    expect(bench.engines.size).toBe(8)
    expect(bench.timesOf('single')).toHaveLength(1)
    expect(bench.timesOf('wide')).toHaveLength(4)
  })
})

describe('the counting of an event', () => {
  it('ends once, by the worst outcome of its parts', async () => {
    const bench = new RouteBench({ good: {}, bad: {} }, plenty)
    bench.fails = ({ route }) =>
      route!.name === 'bad' ? Object.assign(new Error('no'), { status: 400 }) : undefined
    const outcome = bench.push('one')
    await bench.clock.advance(0)
    expect(await outcome).toMatchObject({ kind: 'dead-lettered' })
    const [good, bad] = bench.routes.map(({ counters }) => counters.snapshot())
    expect(good).toMatchObject({ received: 1, delivered: 1, deadLettered: 0 })
    expect(bad).toMatchObject({ received: 1, delivered: 0, deadLettered: 1 })
  })

  it('prefers what a route did with it over another route that did not take it', () => {
    const outcomes: Outcome[] = []
    const made = new PendingEvent(eventOf('one'), {
      settle: (_, outcome) => outcomes.push(outcome),
      shrink: () => {},
    })
    made.split(3)
    made.finish({ kind: 'skipped', reason: 'no-route' })
    made.finish({ kind: 'skipped', reason: 'transform' })
    made.finish({ kind: 'skipped', reason: 'no-route' })
    expect(outcomes).toEqual([{ kind: 'skipped', reason: 'transform' }])
  })

  it('keeps the room of an event that is replaced on one route until no route uses it', () => {
    const counters = new EventCounters()
    const routes = ['a', 'b'].map((name) => new Route({ name, counters, clock: new ManualClock() }))
    const shrunk: number[] = []
    const make = () => {
      const made = new PendingEvent(eventOf('one', 100), {
        settle: () => {},
        shrink: (bytes) => shrunk.push(bytes),
      })
      made.split(2)
      return routes.map(
        (route) =>
          new Operation('update', made, made.event.entity, route.laneOf('one'), undefined, [], route),
      )
    }
    const [earlierA, earlierB] = make()
    const [newerA, newerB] = make()
    coalesce(earlierA!, newerA!)
    expect(shrunk).toEqual([])
    coalesce(earlierB!, newerB!)
    expect(shrunk).toEqual([100])
    earlierA!.finish(delivered)
    earlierB!.finish(delivered)
    expect(shrunk).toEqual([100])
  })

  it('frees that room when the other route is done with the event', () => {
    const counters = new EventCounters()
    const route = new Route({ name: 'a', counters, clock: new ManualClock() })
    const shrunk: number[] = []
    const make = (parts: number) => {
      const made = new PendingEvent(eventOf('one', 100), {
        settle: () => {},
        shrink: (bytes) => shrunk.push(bytes),
      })
      made.split(parts)
      return new Operation('update', made, made.event.entity, route.laneOf('one'), undefined, [], route)
    }
    const earlier = make(2)
    const replaced = earlier.pendingEvent
    coalesce(earlier, make(1))
    expect(shrunk).toEqual([])
    replaced.finish(delivered)
    expect(shrunk).toEqual([100])
  })
})

it('a lane knows its entity, even if its key contains the separator of the route', () => {
  for (const key of ['one', 'indicator--1', 'a@b', '@']) {
    for (const name of [undefined, 'chat', 'a-b_1'])
      expect(entityKeyOfLane(laneOf(key, name), name)).toBe(key)
  }
})
