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

/** Follows events. */
export interface EventTracing {
  /** @param isAlone whether nothing that is under way has caused the event. */
  begin(name: string, position: string | undefined, isAlone: boolean): EventTrace | undefined
}

/** Where the positions of events are kept. */
export type EventLedger = Pick<CatchUp, 'receive' | 'settle' | 'hasTold'>

/** So many names of events that are not known are told of, and so much of each. */
const maxUnknownNames = 20
const maxNameLength = 100

/** Told when an event has come to its end. */
export type OnSettled = (outcome: Outcome) => void

/**
 * The way of one event from the frame to the lanes: read, entered in the ledger and the counters, filtered, and turned into
 * the operations that the target needs.
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
   * Takes in one message about an entity, or of a name that nobody knows.
   *
   * @param ledger where its position is kept; absent for a message that did not come from the stream.
   * @returns its position; undefined when it has none that could be read.
   */
  accept(message: StreamMessage, ledger: EventLedger | undefined, onEnd?: OnSettled): Position | undefined {
    const position = message.id === undefined || message.id === '' ? undefined : parsePosition(message.id)
    this.#take(message, position, ledger, onEnd)
    return position
  }

  /**
   * Takes the event of a dead letter through the filter and the lanes once more.
   *
   * In the counters it is received again, and ends again: they count endings, so that they always balance, and a letter that
   * fails three times was dead-lettered three times. How many letters there are is for the store to tell. The ledger has no
   * part in it: the position passed the event when the letter was on disk.
   *
   * @param isFirst whether it goes before what waits of its entity.
   * @returns what is wrong with a letter that cannot be read; nothing is done then.
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
      this.#route(event, receipt, {
        ...letter,
        entityKey,
        through: route,
        isFirst,
      })
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
    const member = `${event.name}${event.isDependency ? '+' : ':'}${event.key}`
    const isNew = receipt.enter(position, member, !event.isDependency)
    if (!isNew || ledger?.hasTold(event) === true) {
      receipt.end(skippedDuplicate)
      return
    }
    const { type } = event.entity
    if (type === 'identity' || type === 'marking-definition') this.#options.lookups?.noteEvent(event)
    try {
      this.#route(event, receipt)
    } catch (error) {
      // A filter in code that throws, or what nobody thought of: one event must not stop the others.
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

  #route(event: StreamEvent, receipt: Receipt, letter?: ReplayedLetter): void {
    const { inFlight, delivery: options, filter } = this.#options
    const isOwnWork = options.skipOwnChanges && isOwn(event, this.#options.ownUser.id)
    if (isOwnWork || this.#options.links?.isEcho(event) === true) {
      receipt.end(skippedOwn)
      return
    }
    // Platforms up to 6.1 send deletes also to who does not want them; other sources and old dead letters hold some too.
    if (!this.#options.listenDelete && isDeleteOfPlatform(event)) {
      receipt.end(unwantedDelete)
      return
    }
    const rejection = filter.rejects(event.entity)
    // What never passes cannot have been pushed; all else is decided in its lane, after what is under way. So is a create:
    // a catch-up tells every change as one.
    if (rejection?.isForGood === true && (event.name === 'create' || event.name === 'update')) {
      receipt.end({ kind: 'skipped', reason: rejection.reason })
      return
    }
    const delivery = new PendingEvent(event, receipt)
    delivery.trace = receipt.trace
    let operations = this.#planner.operationsOf(event, delivery, rejection?.reason)
    if (letter !== undefined) operations = partsOf(letter, operations)
    if (operations.length === 0) {
      receipt.end(letter === undefined ? skippedNoRoute : skippedNoPart)
      return
    }
    // Only now: what threw before must not hold room.
    inFlight.take(event.bytes)
    delivery.split(operations.length)
    const { engine } = this.#options
    for (const operation of operations) {
      if (letter?.isFirst === true) engine.pushFirst(operation)
      else engine.push(operation)
    }
  }
}

/** Acknowledges one event: in the ledger, where it has a place there, in the counters, and to who waits for its end. */
class Receipt implements Acknowledgment {
  readonly #options: PipelineOptions
  readonly #ledger: EventLedger | undefined
  readonly #onSettled: OnSettled | undefined
  readonly #isReplay: boolean
  /** Absent when nobody follows the event. */
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

  /** Enters the event in the ledger. Returns false for a duplicate, which has no place there. */
  enter(position: Position | undefined, member: string, isMain: boolean): boolean {
    if (this.#ledger === undefined) return true
    this.#ticket = this.#ledger.receive(position, member, isMain)
    return this.#ticket !== undefined
  }

  /** The event has ended before it took up room. */
  end(outcome: Outcome): void {
    this.#options.counters.close(outcome, this.#isReplay)
    if (this.#ticket !== undefined) {
      this.#ledger!.settle(this.#ticket)
      this.#options.checkpointer.touch()
    }
    this.trace?.end(outcome)
    this.#onSettled?.(outcome)
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
  /** Default: none. */
  readonly routes?: Routes | undefined
  readonly checkpointer: Checkpointer
  /** Keep what cannot be delivered. */
  readonly letters: Pick<DeadLetterWriter, 'buryUnreadable' | 'buryUnplanned'>
  readonly delivery: DeliveryOptions
  /** Whether what the platform deletes is withdrawn from the target. */
  readonly listenDelete: boolean
  readonly clock: Clock
  readonly logger: Logger
  readonly ownUser: OwnUser
  /** Told of authors and markings that come: what they know of them may be out of date. Default: nobody is. */
  readonly lookups?: { noteEvent(event: StreamEvent): void } | undefined
  /** Know the events that only tell what the connector wrote itself. Default: none does. */
  readonly links?: { isEcho(event: StreamEvent): boolean } | undefined
  /** Takes secrets out of a text. */
  readonly redactor: Pick<Redactor, 'clean'>
  /** Follows events from when they are accepted. Default: nobody does. */
  readonly tracing?: EventTracing | undefined
}

/** What tells a frame from others when what it is about cannot be read: all that it says. */
function unreadableMember({ event, data, bytes }: StreamMessage): string {
  return `${event}?${bytes}:${createHash('sha256').update(data).digest('base64')}`
}

/** What the beginning of a frame tells of its entity: the platform writes the id first. */
const entityIdInFrame = /"data":\{"id":"(([a-z][a-z0-9-]*)--[0-9a-f-]{36})"/

/** A frame of which only the beginning was kept. */
function tooLarge({ data, bytes }: StreamMessage, maxFrameBytes: number): UnreadableEvent {
  const heapBytes = heapFrameLimit()
  const [, entityId, entityType] = entityIdInFrame.exec(data) ?? []
  const problem =
    heapBytes < maxFrameBytes
      ? `the frame of ${bytes} bytes is larger than what the heap of Node.js can hold, which is ${heapBytes} bytes: give the process more memory (NODE_OPTIONS=--max-old-space-size=…, in MiB)`
      : `the frame of ${bytes} bytes is larger than the limit of ${maxFrameBytes} bytes (CONNECTOR_MAX_FRAME_BYTES)`
  return { problem, entityId, entityType }
}

const skippedUnknown: Outcome = { kind: 'skipped', reason: 'unknown-event' }
const skippedDuplicate: Outcome = { kind: 'skipped', reason: 'duplicate' }
const skippedNoRoute: Outcome = { kind: 'skipped', reason: noRouteReason }
const skippedNoPart: Outcome = { kind: 'skipped', reason: 'no-part' }
const unwantedDelete: Outcome = { kind: 'skipped', reason: 'listen-delete' }
const skippedOwn: Outcome = { kind: 'skipped', reason: 'own-change' }

/** Whether the platform has deleted the entity, or taken it out of the stream; not that its time has come. */
function isDeleteOfPlatform({ name, envelope }: StreamEvent): boolean {
  return name === 'delete' && envelope.type !== expiredType
}

function isOwn(event: StreamEvent, ownUserId: string | undefined): boolean {
  return ownUserId !== undefined && event.envelope.origin?.user_id === ownUserId
}
