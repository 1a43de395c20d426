import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { type Verdict } from '../errors/verdict.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type Operation } from '../events/operation.ts'
import { mergeSourcesOf } from '../events/planner.ts'
import { type UnreadableEvent, type StreamEvent } from '../opencti/stream-event.ts'
import { formatPosition } from '../util/position.ts'
import { type NewDeadLetter } from '../store/state-store.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { entityKeyOf } from '../stix/read/entity-ids.ts'
import { type Clock } from '../util/clock.ts'
import { jsonText } from '../util/json-text.ts'
import { shortened } from '../util/shortened.ts'
import { type DeadLetterBound } from './dead-letter-bound.ts'
import { type Redactor } from '../util/redactor.ts'

/** Maximum size of an unreadable frame to keep, in characters. */
const maxRawCharacters = 1_048_576

/** Maximum size of an error to keep, in characters: some repeat whole documents. */
const maxErrorCharacters = 4000

/** Stores what cannot be delivered, with everything needed to retry it. */
export class DeadLetterWriter {
  readonly #options: DeadLetterWriterOptions

  constructor(options: DeadLetterWriterOptions) {
    this.#options = options
  }

  /** An operation's error, as stored and reported. */
  errorOf({ reason }: Verdict): string {
    // Redact before cutting: half a secret is no longer recognizable.
    return shortened(this.#options.redactor.clean(reason), maxErrorCharacters)
  }

  /** Stores an operation that cannot be delivered. */
  bury(operation: Operation, verdict: Verdict): NewDeadLetter {
    const { event } = operation
    const position = event.position === undefined ? undefined : formatPosition(event.position)
    const nowMs = this.#options.clock.now()
    const letter: NewDeadLetter = {
      key: operation.key,
      route: operation.route?.name,
      eventType: event.name,
      entityId: operation.entity.id,
      entityType: operation.entity.type,
      position,
      attempts: Math.max(1, operation.attempts.count),
      firstAtMs: operation.attempts.firstFailedAtMs || nowMs,
      lastAtMs: operation.attempts.lastFailedAtMs || nowMs,
      error: this.errorOf(verdict),
      data: textOf(event),
    }
    this.#keep(letter)
    return letter
  }

  /** Stores a frame that is not an event, or too large to be one. */
  buryUnreadable(message: StreamMessage, event: UnreadableEvent): Outcome {
    return this.#buryMessage(message, event, message.data.slice(0, maxRawCharacters))
  }

  /**
   * Stores an event that failed before it reached the lanes, once for each entity it affects, so that each
   * can be replayed.
   */
  buryUnplanned(message: StreamMessage, event: StreamEvent, problem: string): Outcome {
    const raw = message.data
    for (const source of mergeSourcesOf(event)) {
      const about = { problem, key: entityKeyOf(source), entityId: source.id, entityType: source.type }
      this.#buryMessage(message, about, raw)
    }
    const { key, entity } = event
    return this.#buryMessage(message, { problem, key, entityId: entity.id, entityType: entity.type }, raw)
  }

  #buryMessage(
    message: StreamMessage,
    about: UnreadableEvent & { readonly key?: string },
    data: string,
  ): Outcome {
    const { key, entityId, entityType } = about
    const error = shortened(about.problem, maxErrorCharacters)
    const nowMs = this.#options.clock.now()
    this.#keep({
      key,
      eventType: message.event,
      entityId,
      entityType,
      position: message.id,
      attempts: 1,
      firstAtMs: nowMs,
      lastAtMs: nowMs,
      error,
      data,
    })
    return { kind: 'dead-lettered', reason: error }
  }

  #keep(letter: NewDeadLetter): void {
    const { checkpointer, bound, onNotice } = this.#options
    const { entityId, error, position, route } = letter
    checkpointer.addDeadLetter(letter)
    bound.add()
    onNotice({ kind: 'dead-lettered', entityId, error, position, route })
  }
}

export interface DeadLetterWriterOptions {
  readonly checkpointer: Checkpointer
  readonly clock: Clock
  /** Redacts secrets. */
  readonly redactor: Pick<Redactor, 'clean'>
  /** Counts the letters. */
  readonly bound: Pick<DeadLetterBound, 'add'>
  readonly onNotice: (notice: ConnectorNotice) => void
}

/**
 * The event as received, for a retry. Events that did not come in a frame can be recreated from the entity's
 * ids.
 */
function textOf({ text, envelope, entity: { id, type } }: StreamEvent): string {
  return text ?? jsonText(envelope) ?? JSON.stringify({ data: { id, type } })
}
