import { EventCounters, type Outcome } from '../../src/events/event-counters.ts'
import { PendingEvent } from '../../src/events/pending-event.ts'
import { RouteEngine } from '../../src/flow/route-engine.ts'
import { type ItemWork } from '../../src/events/item-operation.ts'
import { type OperationHandler } from '../../src/flow/operation-handler.ts'
import { type DeliveryListener } from '../../src/flow/delivery-listener.ts'
import { Operation, type OperationKind } from '../../src/events/operation.ts'
import { TokenBucket } from '../../src/flow/target-limits.ts'
import { type Verdict } from '../../src/errors/verdict.ts'
import { type ItemAnswer } from '../../src/flow/flush-answer.ts'
import { type StreamEvent } from '../../src/opencti/stream-event.ts'
import { deliverySchema } from '../../src/settings/schemas/delivery-schema.ts'
import {
  type DeliveryOptions,
  type ResolvedBatchOptions,
} from '../../src/settings/schemas/delivery-options.ts'
import { asEntity } from '../../src/stix/types/entity.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { silentLogger } from '../../src/util/logger.ts'

/** What a test changes of the options of delivery. */
export interface BenchOptions {
  readonly concurrency?: number | undefined
  readonly adaptiveConcurrency?: boolean | undefined
  readonly attempts?: number | undefined
  readonly exhausted?: 'dead-letter' | 'stop' | undefined
  readonly coalesce?: false | 'latest' | undefined
  readonly ordering?: DeliveryOptions['ordering'] | undefined
  readonly rate?: { readonly perSecond: number; readonly burst: number } | undefined
  readonly batch?: Partial<ResolvedBatchOptions> | undefined
}

/** What the target does with one call; what it throws is the error of the hook. */
export type Target = (operation: Operation) => Promise<Outcome | undefined>
export type BulkTarget = (operations: readonly Operation[]) => Promise<readonly ItemAnswer[]>

export const delivery = (options: BenchOptions = {}): DeliveryOptions => {
  const { concurrency = 8, attempts = 3, exhausted = 'dead-letter', coalesce = false, batch } = options
  const defaults = deliverySchema.parse({})
  return {
    ...defaults,
    concurrency,
    adaptiveConcurrency: options.adaptiveConcurrency ?? false,
    coalesce,
    ordering: options.ordering ?? 'entity',
    retry: { attempts, baseMs: 1000, maxMs: 60_000, exhausted },
    outage: { failures: 5, probeMinMs: 1000, probeMaxMs: 60_000 },
    batch: { maxItems: 100, maxWaitMs: 30_000, maxInFlight: 1, dedupe: false, ...batch },
  }
}

/** An event about the entity of this name. */
export function eventOf(key: string, bytes = 100, names: readonly string[] = []): StreamEvent {
  const refs = names.map((name) => `indicator--${name}`)
  const entity = asEntity({ id: `indicator--${key}`, type: 'indicator', object_refs: refs })!
  return {
    name: 'update',
    position: undefined,
    entity,
    key,
    isDependency: false,
    envelope: { data: entity },
    bytes,
  }
}

/** An engine on a manual clock, before a target that the test writes. */
export class Bench implements OperationHandler, DeliveryListener {
  readonly clock = new ManualClock()
  readonly counters = new EventCounters()
  readonly engine: RouteEngine
  readonly bucket: TokenBucket
  readonly deadLetters: { key: string; attempts: number; reason: string }[] = []
  readonly outages: (string | undefined)[] = []
  readonly stops: string[] = []
  /** How often something was delivered after a refusal. */
  taken = 0
  /** How often each event was told that it has ended. */
  readonly endings = new Map<PendingEvent, Outcome[]>()
  readonly #target: Target
  readonly #bulk: BulkTarget | undefined
  weigh = (_operation: Operation): number => 1

  constructor(options: BenchOptions, target: Target, bulk?: BulkTarget) {
    this.#target = target
    this.#bulk = bulk
    this.bucket = new TokenBucket(options.rate ?? { perSecond: 1e6, burst: 1e6 }, this.clock)
    this.engine = new RouteEngine({
      delivery: delivery(options),
      handler: this,
      listener: this,
      counters: this.counters,
      clock: this.clock,
      random: () => 0.5,
      logger: silentLogger,
      bucket: this.bucket,
      bulk: bulk !== undefined,
    })
  }

  /** Hands the engine one event of as many operations as there are lanes in `joined` (a merge), or one. */
  push(
    key: string,
    options: {
      kind?: OperationKind
      joined?: readonly string[]
      /** The entities that it names. */
      names?: readonly string[]
      /** Told before the engine is. */
      onMade?: (made: PendingEvent) => void
    } = {},
  ): PendingEvent {
    const { kind = 'update', joined = [], names = [] } = options
    this.counters.receive()
    const made = new PendingEvent(eventOf(key, 100, names), {
      settle: (settled, outcome) => {
        this.counters.close(outcome)
        this.endings.set(settled, [...(this.endings.get(settled) ?? []), outcome])
      },
      shrink: () => {},
    })
    this.endings.set(made, [])
    options.onMade?.(made)
    const { entity } = made.event
    const operations = [new Operation(kind, made, entity, key, undefined, joined)]
    for (const source of joined) {
      const others = [key, ...joined.filter((lane) => lane !== source)]
      operations.push(new Operation('delete', made, eventOf(source).entity, source, 'merged', others))
    }
    made.split(operations.length)
    for (const operation of operations) this.engine.push(operation)
    return made
  }

  /** Moves the clock until nothing is left to do, at most a day. */
  async settle(): Promise<void> {
    const ends: true[] = []
    void this.engine.drain().then(() => ends.push(true))
    for (let second = 0; ends.length === 0 && second < 86_400; second += 10) await this.clock.advance(10_000)
    if (ends.length === 0) throw new Error(`${this.engine.size} operations never ended`)
  }

  deliver(operation: Operation): Promise<Outcome | undefined> {
    return this.#target(operation)
  }

  flush(operations: readonly Operation[]): Promise<readonly ItemAnswer[]> {
    return this.#bulk!(operations)
  }

  onRetry(): void {}

  onOverdue(): void {}

  itemBytes(operation: Operation): number {
    return this.weigh(operation)
  }

  onDeadLetter(operation: Operation, verdict: Verdict): void {
    this.deadLetters.push({ key: operation.key, attempts: operation.tries.count, reason: verdict.reason })
  }

  skipped(_operation: Operation): void {}

  itemsTaken({ outcome }: ItemWork): Outcome {
    return outcome
  }

  onOutage(reason: string | undefined): void {
    this.outages.push(reason)
  }

  onRefusing(reason: string): void {
    this.outages.push(`refuses: ${reason}`)
  }

  onAskedPause(): void {}

  onTaken(): void {
    this.taken++
  }

  onStop(verdict: Verdict): void {
    this.stops.push(verdict.reason)
  }
}
