import { createHash } from 'node:crypto'
import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type Ticket } from '../checkpoint/ledger.ts'
import { describeError } from '../errors/verdict.ts'
import { type EventCounters, noRouteReason, type Outcome } from '../events/event-counters.ts'
import { type Acknowledgment, PendingEvent } from '../events/pending-event.ts'
import { type Engine } from '../flow/engine.ts'
import { type EventTrace } from '../events/event-trace.ts'
import { type Filter } from '../events/filter.ts'
import { Planner } from '../events/planner.ts'
import { entityKeyOfLane, Routes } from '../events/routes.ts'
import { type InFlightLimit } from '../flow/in-flight-limit.ts'
import {
  decodeEvent,
  isEventName,
  isUnreadable,
  type UnreadableEvent,
  expiredType,
  type StreamEvent,
} from '../opencti/stream-event.ts'
import { parsePosition, type Position } from '../util/position.ts'
import { heapFrameLimit } from '../stream/stream-limits.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type DeadLetter } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type DeadLetterWriter } from '../dead-letters/dead-letter-writer.ts'
import { type CatchUp } from './catch-up.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { partsOf, type ReplayedLetter } from '../replay/replayed-letter.ts'
import { type Redactor } from '../util/redactor.ts'

/** Traces events. */
export interface EventTracing {
  /** @param isAlone whether the event was not caused by anything already being traced. */
  begin(name: string, position: string | undefined, isAlone: boolean): EventTrace | undefined
}

/** Records the positions of events. */
export interface EventLedger extends Pick<CatchUp, 'receive' | 'settle' | 'hasTold'> {
  /** The only entity of a merge to take care of, by key. @default all */
  readonly part?: string | undefined
}

/** Has events delivered elsewhere. */
export interface EventRelay {
  /**
   * @param isTold whether the catch-up already delivered the entity in this state or a newer one.
   * @param onFinished called when the event is finished, and its effect is durable.
   */
  take(event: StreamEvent, message: StreamMessage, isTold: boolean, onFinished: () => void): void
}

/** Maximum number of unknown event names to log, and the maximum length of each. */
const maxUnknownNames = 20
const maxNameLength = 100

/** Called when an event has ended. */
export type OnSettled = (outcome: Outcome) => void

/**
 * The path of an event from the frame to the lanes: decode it, enter it in the ledger and the counters,
 * filter it, and turn it into operations for the target.
 */
export class Pipeline {
  readonly #options: PipelineOptions
  readonly #routes: Routes
  readonly #planner: Planner
  readonly #unknownNames = new Set<string>()

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#routes = options.routes ?? new Routes([], options.counters, options.clock)
    this.#planner = new Planner({ ...options, routes: this.#routes })
  }

  /**
   * Accepts a message about an entity, or one with an unknown name.
   *
   * @param ledger records its position; undefined for a message that did not come from the stream.
   * @returns its position; undefined if it has none or it cannot be parsed.
   */
  accept(message: StreamMessage, ledger: EventLedger | undefined, onEnd?: OnSettled): Position | undefined {
    const position = message.id === undefined || message.id === '' ? undefined : parsePosition(message.id)
    this.#take(message, position, ledger, onEnd)
    return position
  }

  /**
   * Takes the event of a dead letter through the filter and the lanes again.
   *
   * The counters count it as received and ended once more. They count endings, so they always balance: a
   * letter that fails three times counts as dead-lettered three times. The store knows how many letters there
   * are. The ledger is not involved: the position passed the event when the letter was on disk.
   *
   * @param isFirst whether it goes before the entity's queued operations.
   * @returns the problem of a letter that cannot be read; nothing is done in that case.
   */
  replay(letter: DeadLetter, onSettled: OnSettled, isFirst = false): string | undefined {
    const { eventType, key, data } = letter
    if (key === undefined || !isEventName(eventType)) return 'its message could not be read'
    const position = letter.position === undefined ? undefined : parsePosition(letter.position)
    const event = decodeEvent(eventType, data, position, data.length)
    if (isUnreadable(event)) return event.problem
    const route = letter.route === undefined ? undefined : this.#routes.named(letter.route)
    if (letter.route !== undefined && route === undefined) {
      return `the route ${letter.route}, through which it failed, no longer exists`
    }
    const trace = this.#options.tracing?.begin(eventType, letter.position, true)
    trace?.about(event.entity)
    const receipt = new Receipt(this.#options, undefined, trace, onSettled, true)
    this.#options.counters.receive()
    const entityKey = entityKeyOfLane(key, letter.route)
    try {
      this.#route(event, receipt, { letter: { ...letter, entityKey, through: route, isFirst } })
      return undefined
    } catch (error) {
      const problem = this.#options.redactor.clean(describeError(error))
      const outcome: Outcome = { kind: 'dead-lettered', reason: problem }
      this.#options.counters.close(outcome, true)
      trace?.end(outcome)
      return `a filter or a route of the connector failed: ${problem}`
    }
  }

  #take(
    message: StreamMessage,
    position: Position | undefined,
    ledger: EventLedger | undefined,
    onEnd: OnSettled | undefined,
  ): void {
    const trace = this.#options.tracing?.begin(message.event, message.id, ledger !== undefined)
    const receipt = new Receipt(this.#options, ledger, trace, onEnd)
    this.#options.counters.receive()
    if (!isEventName(message.event)) {
      this.#tellUnknown(message.event)
      receipt.enter(position, message.event, true)
      receipt.end(skippedUnknown)
      return
    }
    const event: StreamEvent | UnreadableEvent =
      message.truncated === true
        ? tooLarge(message, this.#options.delivery.queue.maxFrameBytes)
        : decodeEvent(message.event, message.data, position, message.bytes)
    if (isUnreadable(event)) {
      const isNew = receipt.enter(position, unreadableMember(message), true)
      receipt.end(isNew ? this.#options.letters.buryUnreadable(message, event) : skippedDuplicate)
      return
    }
    trace?.about(event.entity)
    const isNew = receipt.enter(position, memberOf(event), !event.isDependency)
    const isTold = ledger?.hasTold(event) === true
    // A merge must still delete its sources.
    if (!isNew || (isTold && event.name !== 'merge')) {
      receipt.end(skippedDuplicate)
      return
    }
    const { type } = event.entity
    if (type === 'identity' || type === 'marking-definition') this.#options.lookups?.noteEvent(event)
    try {
      this.#route(event, receipt, { isTold, message, part: ledger?.part })
    } catch (error) {
      // A filter in code threw, or something unforeseen happened: one event must not stop the others.
      const problem = this.#options.redactor.clean(describeError(error))
      receipt.end(this.#options.letters.buryUnplanned(message, event, problem))
    }
  }

  #tellUnknown(event: string): void {
    const name = event.slice(0, maxNameLength)
    if (this.#unknownNames.has(name) || this.#unknownNames.size === maxUnknownNames) return
    this.#unknownNames.add(name)
    this.#options.logger.warn('The platform sends an unknown kind of event: skipping it', { event: name })
  }

  #route(event: StreamEvent, receipt: Receipt, { isTold = false, message, part, letter }: Origins): void {
    const { inFlight, delivery: options, filter, relay } = this.#options
    const isOwnWork = options.skipOwnChanges && isOwn(event, this.#options.ownUser.id)
    if (isOwnWork || this.#options.links?.isEcho(event) === true) {
      receipt.end(skippedOwn)
      return
    }
    // Platforms up to 6.1 send deletes even if they are not requested. Other sources and old dead letters may
    // contain some, too.
    if (!this.#options.listenDelete && isDeleteOfPlatform(event)) {
      receipt.end(unwantedDelete)
      return
    }
    const rejection = filter.rejects(event.entity)
    // An entity that can never pass cannot have been pushed. Everything else is decided in its lane, after
    // the operations before it. So is a create: a catch-up sends every change as one.
    if (rejection?.isForGood === true && (event.name === 'create' || event.name === 'update')) {
      receipt.end({ kind: 'skipped', reason: rejection.reason })
      return
    }
    if (relay !== undefined && message !== undefined) {
      receipt.handOver()
      relay.take(event, message, isTold, () => receipt.finish())
      return
    }
    const delivery = new PendingEvent(event, receipt)
    delivery.trace = receipt.trace
    let operations = this.#planner.operationsOf(event, delivery, rejection?.reason)
    if (letter !== undefined) operations = partsOf(letter, operations)
    if (isTold) operations = operations.filter(({ entity }) => entity !== event.entity)
    if (part !== undefined) operations = operations.filter(({ entityKey }) => entityKey === part)
    if (operations.length === 0) {
      receipt.end(isTold ? skippedDuplicate : letter === undefined ? skippedNoRoute : skippedNoPart)
      return
    }
    // Not earlier: if something above throws, no room must be occupied.
    inFlight.take(event.bytes)
    delivery.split(operations.length)
    const { engine, checkpointer } = this.#options
    for (const operation of operations) {
      if (options.idMap) checkpointer.state.expect(operation.key)
      if (letter?.isFirst === true) engine.pushFirst(operation)
      else engine.push(operation)
    }
  }
}

/** Where an event comes from. */
interface Origins {
  /** Whether this catch-up already delivered the entity in this state or a newer one. */
  readonly isTold?: boolean | undefined
  /** Undefined for a dead letter. */
  readonly message?: StreamMessage | undefined
  /** As in {@link EventLedger}. */
  readonly part?: string | undefined
  readonly letter?: ReplayedLetter | undefined
}

/** Identifies a frame within those that share its id. */
export function memberOf({ name, isDependency, key }: StreamEvent): string {
  return `${name}${isDependency ? '+' : ':'}${key}`
}

/**
 * Acknowledges an event: in the ledger (if it came from the stream), in the counters, and to the waiting
 * caller.
 */
class Receipt implements Acknowledgment {
  readonly #options: PipelineOptions
  readonly #ledger: EventLedger | undefined
  readonly #onSettled: OnSettled | undefined
  readonly #isReplay: boolean
  /** Undefined without tracing. */
  readonly trace: EventTrace | undefined
  #ticket: Ticket | undefined

  constructor(
    options: PipelineOptions,
    ledger: EventLedger | undefined,
    trace: EventTrace | undefined,
    onSettled: OnSettled | undefined,
    isReplay = false,
  ) {
    this.#options = options
    this.#ledger = ledger
    this.trace = trace
    this.#onSettled = onSettled
    this.#isReplay = isReplay
  }

  /** Enters the event in the ledger. Returns false for a duplicate, which is not entered. */
  enter(position: Position | undefined, member: string, isMain: boolean): boolean {
    if (this.#ledger === undefined) return true
    this.#ticket = this.#ledger.receive(position, member, isMain)
    return this.#ticket !== undefined
  }

  /** The event ended before it occupied room. */
  end(outcome: Outcome): void {
    this.#options.counters.close(outcome, this.#isReplay)
    this.finish()
    this.trace?.end(outcome)
    this.#onSettled?.(outcome)
  }

  /** Somebody else delivers and counts it. */
  handOver(): void {
    this.#options.counters.handOver()
    this.trace?.end(handedOver)
  }

  /** The event is finished. */
  finish(): void {
    if (this.#ticket === undefined) return
    this.#ledger!.settle(this.#ticket)
    this.#options.checkpointer.touch()
  }

  settle({ bytes }: PendingEvent, outcome: Outcome): void {
    this.#options.inFlight.release(bytes)
    this.end(outcome)
  }

  shrink(bytes: number): void {
    this.#options.inFlight.shrink(bytes)
  }
}

export interface PipelineOptions {
  readonly counters: EventCounters
  readonly inFlight: InFlightLimit
  readonly engine: Pick<Engine, 'push' | 'pushFirst'>
  readonly filter: Filter
  /** @default no routes */
  readonly routes?: Routes | undefined
  readonly checkpointer: Checkpointer
  /** Keep undeliverable events. */
  readonly letters: Pick<DeadLetterWriter, 'buryUnreadable' | 'buryUnplanned'>
  readonly delivery: DeliveryOptions
  /** Whether entities deleted on the platform are withdrawn from the target. */
  readonly listenDelete: boolean
  readonly clock: Clock
  readonly logger: Logger
  readonly ownUser: OwnUser
  /** Notified of new authors and markings, because cached ones may be outdated. @default none */
  readonly lookups?: { noteEvent(event: StreamEvent): void } | undefined
  /** Recognize events that only repeat what the connector wrote. @default none */
  readonly links?: { isEcho(event: StreamEvent): boolean } | undefined
  /** Removes secrets from a text. */
  readonly redactor: Pick<Redactor, 'clean'>
  /** Traces events from acceptance. @default none */
  readonly tracing?: EventTracing | undefined
  /** Takes the events of the stream that are not skipped here. @default they are delivered here */
  readonly relay?: EventRelay | undefined
}

/** Identifies a frame whose entity cannot be read, by its entire content. */
function unreadableMember({ event, data, bytes }: StreamMessage): string {
  return `${event}?${bytes}:${createHash('sha256').update(data).digest('base64')}`
}

/** The entity id at the beginning of a frame; the platform writes the id first. */
const entityIdInFrame = /"data":\{"id":"(([a-z][a-z0-9-]*)--[0-9a-f-]{36})"/

/** Describes a frame that was truncated to its beginning. */
function tooLarge({ data, bytes }: StreamMessage, maxFrameBytes: number): UnreadableEvent {
  const heapBytes = heapFrameLimit()
  const [, entityId, entityType] = entityIdInFrame.exec(data) ?? []
  const problem =
    heapBytes < maxFrameBytes
      ? `the frame of ${bytes} bytes is larger than the Node.js heap allows (${heapBytes} bytes): give the process more memory (NODE_OPTIONS=--max-old-space-size=…, in MiB)`
      : `the frame of ${bytes} bytes is larger than the limit of ${maxFrameBytes} bytes (CONNECTOR_MAX_FRAME_BYTES)`
  return { problem, entityId, entityType }
}

const skippedUnknown: Outcome = { kind: 'skipped', reason: 'unknown-event' }
const skippedDuplicate: Outcome = { kind: 'skipped', reason: 'duplicate' }
const skippedNoRoute: Outcome = { kind: 'skipped', reason: noRouteReason }
const skippedNoPart: Outcome = { kind: 'skipped', reason: 'no-part' }
const unwantedDelete: Outcome = { kind: 'skipped', reason: 'listen-delete' }
const handedOver: Outcome = { kind: 'skipped', reason: 'handed-over' }
const skippedOwn: Outcome = { kind: 'skipped', reason: 'own-change' }

/** Whether the platform deleted the entity or removed it from the stream; false if it expired. */
function isDeleteOfPlatform({ name, envelope }: StreamEvent): boolean {
  return name === 'delete' && envelope.type !== expiredType
}

function isOwn(event: StreamEvent, ownUserId: string | undefined): boolean {
  return ownUserId !== undefined && event.envelope.origin?.user_id === ownUserId
}
