import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type Ledger, type Ticket } from '../checkpoint/ledger.ts'
import { describeError, type Verdict } from '../errors/verdict.ts'
import { type Books, type Outcome } from '../flow/books.ts'
import { Delivery } from '../flow/delivery.ts'
import { type Engine } from '../flow/engine.ts'
import { type Filter } from '../flow/filter.ts'
import { Operation } from '../flow/operation.ts'
import { type Window } from '../flow/window.ts'
import { decodeEvent, isEventName, isUnreadable, type UnreadableEvent } from '../opencti/decode-event.ts'
import { formatPosition, parsePosition, type Position } from '../opencti/position.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type DeliveryOptions } from '../settings/delivery-options.ts'
import { type DeadLetter } from '../store/state-store.ts'
import { isExpired, isRevoked } from '../stix/entity-life.ts'
import { entityKeyOf, previousStixIdOf } from '../stix/entity-ids.ts'
import { type Entity } from '../stix/entity.ts'
import { previousOf } from '../stix/patches.ts'
import { type Clock } from '../util/clock.ts'

/** A frame of the stream, or what takes its place. */
export interface PipelineMessage {
  readonly id: string | undefined
  readonly event: string
  /** JSON text, or the parsed envelope or entity. */
  readonly data: unknown
  readonly bytes: number
  readonly truncated?: boolean | undefined
}

/** What a {@link Pipeline} joins. */
export interface PipelineOptions {
  readonly books: Books
  readonly window: Window
  readonly engine: Engine
  readonly filter: Filter
  readonly checkpointer: Checkpointer
  readonly delivery: DeliveryOptions
  readonly clock: Clock
  /** OpenCTI's id of the connector's own user, once it is known. */
  readonly ownUserId: () => string | undefined
  /** Takes secrets out of a text. */
  readonly clean: (text: string) => string
  readonly onDeadLetter: (letter: {
    entityId: string | undefined
    error: string
    position: string | undefined
  }) => void
  /** A dead letter that was tried again is still none that could be delivered. */
  readonly onFailedAgain: (operation: Operation, error: string, atMs: number) => void
}

/** Told when an event has come to its end. */
export type OnSettled = (outcome: Outcome) => void

/** What is kept of a frame that cannot be read, in characters. */
const maxRawCharacters = 1_048_576

/**
 * The way of one event from the frame to the lanes: read, entered in the ledger and the books, filtered, and turned into
 * the operations that the target needs.
 */
export class Pipeline {
  readonly #options: PipelineOptions

  constructor(options: PipelineOptions) {
    this.#options = options
  }

  /**
   * Takes in one message about an entity, or of a name that nobody knows.
   *
   * @param ledger where its position is kept; absent for a message that did not come from the stream.
   */
  accept(message: PipelineMessage, ledger: Ledger | undefined, onSettled?: OnSettled): void {
    const position = message.id === undefined || message.id === '' ? undefined : parsePosition(message.id)
    this.#options.books.receive()
    if (!isEventName(message.event)) {
      this.#end(this.#enter(ledger, position, message.event, true), skippedUnknown, onSettled, ledger)
      return
    }
    const event: StreamEvent | UnreadableEvent =
      message.truncated === true
        ? {
            problem: `the frame is larger than the limit (CONNECTOR_MAX_FRAME_BYTES): ${message.bytes} bytes`,
          }
        : decodeEvent(message.event, message.data, position, message.bytes)
    if (isUnreadable(event)) {
      const ticket = this.#enter(ledger, position, `${message.event}:?${message.bytes}`, true)
      if (ticket === duplicate) this.#end(ticket, skippedDuplicate, onSettled)
      else this.#end(ticket, this.#buryUnreadable(message, event), onSettled, ledger)
      return
    }
    const member = `${event.name}${event.isDependency ? '+' : ':'}${event.key}`
    const ticket = this.#enter(ledger, position, member, !event.isDependency)
    if (ticket === duplicate) this.#end(ticket, skippedDuplicate, onSettled)
    else {
      try {
        this.#route(event, ledger, ticket, onSettled)
      } catch (error) {
        // A filter in code that throws, or what nobody thought of: one event must not stop the others.
        const { key, entity } = event
        const problem = this.#options.clean(describeError(error))
        this.#end(
          ticket,
          this.#buryUnreadable(message, { problem, key, entityId: entity.id, entityType: entity.type }),
          onSettled,
          ledger,
        )
      }
    }
  }

  /**
   * Takes the event of a dead letter through the filter and the lanes once more.
   *
   * In the books it is received again, and ends again: they count endings, so that they always balance, and a letter that
   * fails three times was dead-lettered three times. How many letters there are is for the store to tell. The ledger has no
   * part in it: the position passed the event when the letter was on disk.
   *
   * @returns what is wrong with a letter that cannot be read; nothing is done then.
   */
  replay(letter: DeadLetter, onSettled: OnSettled): string | undefined {
    const { eventType, key, data } = letter
    if (key === undefined || !isEventName(eventType)) return 'its message could not be read'
    const position = letter.position === undefined ? undefined : parsePosition(letter.position)
    const event = decodeEvent(eventType, data, position, data.length)
    if (isUnreadable(event)) return event.problem
    this.#options.books.receive()
    this.#route(event, undefined, undefined, onSettled, { ...letter, key })
    return undefined
  }

  /** Keeps an operation that cannot be delivered. */
  bury(operation: Operation, verdict: Verdict): void {
    const { event } = operation
    const position = event.position === undefined ? undefined : formatPosition(event.position)
    const nowMs = this.#options.clock.now()
    const error = this.#options.clean(verdict.reason)
    if (operation.replayOf !== undefined) {
      this.#options.onFailedAgain(operation, error, operation.lastFailedAtMs || nowMs)
      return
    }
    this.#options.checkpointer.addDeadLetter({
      key: operation.key,
      eventType: event.name,
      entityId: operation.entity.id,
      entityType: operation.entity.type,
      position,
      attempts: Math.max(1, operation.attempts),
      firstAtMs: operation.firstFailedAtMs || nowMs,
      lastAtMs: operation.lastFailedAtMs || nowMs,
      error,
      data: JSON.stringify(event.envelope),
    })
    this.#options.onDeadLetter({ entityId: operation.entity.id, error, position })
  }

  #route(
    event: StreamEvent,
    ledger: Ledger | undefined,
    ticket: Ticket | undefined,
    onSettled?: OnSettled,
    letter?: Pick<DeadLetter, 'id' | 'replay'> & { key: string },
  ): void {
    const { window, delivery: options, filter, clock } = this.#options
    if (options.skipOwnChanges && isOwn(event, this.#options.ownUserId())) {
      this.#end(ticket, skippedOwn, onSettled, ledger)
      return
    }
    const rejection = filter.rejects(event.entity, clock.now())
    // What never passes cannot have been pushed; all else is decided in its lane, after what is under way. So is a create:
    // a catch-up tells every change as one.
    if (rejection?.isForGood === true && (event.name === 'create' || event.name === 'update')) {
      this.#end(ticket, { kind: 'skipped', reason: rejection.reason }, onSettled, ledger)
      return
    }
    const delivery = new Delivery(
      event,
      (settled, outcome) => {
        window.release(settled.bytes)
        this.#end(ticket, outcome, onSettled, ledger)
      },
      (bytes) => window.shrink(bytes),
    )
    let operations = this.#operationsOf(event, delivery, rejection?.reason)
    if (letter !== undefined) {
      // Of a merge, only the part that failed: the others have ended, well or as letters of their own.
      operations = operations.filter((operation) => operation.key === letter.key).slice(0, 1)
      if (operations.length === 0) {
        this.#end(ticket, skippedNoPart, onSettled, ledger)
        return
      }
      for (const operation of operations) {
        operation.replayOf = letter.id
        operation.isForced = letter.replay === 'forced'
      }
    }
    // Only now: what threw before must not hold room.
    window.take(event.bytes)
    delivery.split(operations.length)
    for (const operation of operations) this.#options.engine.push(operation)
  }

  /** What the target has to be told of an event. `rejected` is the filter's reason when the entity does not pass. */
  #operationsOf(event: StreamEvent, delivery: Delivery, rejected: string | undefined): Operation[] {
    const { entity, key } = event
    if (event.name === 'merge') return this.#mergeOperations(event, delivery, rejected)
    if (event.name === 'delete') {
      const reason = event.envelope.type === 'update' ? 'left-filter' : 'deleted'
      const operation = new Operation('delete', delivery, entity, key, reason, this.#formerLane(event))
      if (rejected !== undefined) operation.unlessPushed = rejected
      return [operation]
    }
    return [this.#pushOperation(event, delivery, rejected, this.#formerLane(event))]
  }

  #mergeOperations(event: StreamEvent, delivery: Delivery, rejected: string | undefined): Operation[] {
    const { key } = event
    const sources = (event.envelope.context?.sources ?? []).filter((source) => typeof source?.id === 'string')
    const lanes = [...new Set(sources.map((source) => entityKeyOf(source)))].filter((lane) => lane !== key)
    const operations = [this.#pushOperation(event, delivery, rejected, lanes)]
    for (const source of sources) {
      const own = entityKeyOf(source)
      if (own === key) continue
      const others = [key, ...lanes.filter((lane) => lane !== own)]
      operations.push(new Operation('delete', delivery, source, own, 'merged', others))
    }
    return operations
  }

  #pushOperation(
    event: StreamEvent,
    delivery: Delivery,
    rejected: string | undefined,
    joined: readonly string[],
  ): Operation {
    const { entity, key } = event
    const withdrawal = rejected === undefined ? this.#withdrawal(entity) : 'left-filter'
    if (withdrawal === undefined) {
      return new Operation(
        event.name === 'create' ? 'create' : 'update',
        delivery,
        entity,
        key,
        undefined,
        joined,
      )
    }
    const operation = new Operation('delete', delivery, entity, key, withdrawal, joined)
    operation.unlessPushed = rejected ?? withdrawal
    if (rejected !== undefined && this.#mayHavePassed(event)) operation.unlessPushed = 'never-pushed'
    return operation
  }

  /** Why an entity that passes the filter is withdrawn all the same. */
  #withdrawal(entity: Entity): 'revoked' | 'expired' | undefined {
    const { on } = this.#options.delivery
    if (entity.type !== 'indicator') return undefined
    if (on.revoked === 'delete' && isRevoked(entity)) return 'revoked'
    if (on.expired === 'delete' && isExpired(entity, this.#options.clock.now())) return 'expired'
    return undefined
  }

  /** Whether the entity passed the filter before this event, as far as its patch tells. */
  #mayHavePassed(event: StreamEvent): boolean {
    const patch = event.envelope.context?.reverse_patch
    if (patch === undefined) return false
    const previous = previousOf(event.entity, patch)
    return (
      previous !== undefined &&
      this.#options.filter.rejects(previous, this.#options.clock.now()) === undefined
    )
  }

  /** An entity without an internal id is known by its STIX id, which a rename changes: both names are one lane. */
  #formerLane(event: StreamEvent): readonly string[] {
    if (event.key !== event.entity.id) return noLanes
    const former = previousStixIdOf(event.envelope.context?.reverse_patch)
    return former === undefined || former === event.key ? noLanes : [former]
  }

  #buryUnreadable(message: PipelineMessage, event: UnreadableEvent & { readonly key?: string }): Outcome {
    const nowMs = this.#options.clock.now()
    const raw = typeof message.data === 'string' ? message.data : (JSON.stringify(message.data) ?? '')
    this.#options.checkpointer.addDeadLetter({
      key: event.key,
      eventType: message.event,
      entityId: event.entityId,
      entityType: event.entityType,
      position: message.id,
      attempts: 1,
      firstAtMs: nowMs,
      lastAtMs: nowMs,
      error: event.problem,
      data: raw.slice(0, maxRawCharacters),
    })
    this.#options.onDeadLetter({ entityId: event.entityId, error: event.problem, position: message.id })
    return { kind: 'dead-lettered', reason: event.problem }
  }

  #enter(
    ledger: Ledger | undefined,
    position: Position | undefined,
    member: string,
    isMain: boolean,
  ): Ticket | undefined {
    if (ledger === undefined) return undefined
    return ledger.receive(position, member, isMain) ?? duplicate
  }

  #end(
    ticket: Ticket | undefined,
    outcome: Outcome,
    onSettled: OnSettled | undefined,
    ledger?: Ledger,
  ): void {
    this.#options.books.close(outcome)
    if (ticket !== undefined && ticket !== duplicate) {
      ledger?.settle(ticket)
      this.#options.checkpointer.touch()
    }
    onSettled?.(outcome)
  }
}

/** Stands for the ticket of a frame that was entered before. */
const duplicate: Ticket = {}
const noLanes: readonly string[] = []
const skippedUnknown: Outcome = { kind: 'skipped', reason: 'unknown-event' }
const skippedDuplicate: Outcome = { kind: 'skipped', reason: 'duplicate' }
const skippedNoPart: Outcome = { kind: 'skipped', reason: 'no-part' }
const skippedOwn: Outcome = { kind: 'skipped', reason: 'own-change' }

function isOwn(event: StreamEvent, ownUserId: string | undefined): boolean {
  return ownUserId !== undefined && event.envelope.origin?.user_id === ownUserId
}
