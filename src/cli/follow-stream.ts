import { Ledger } from '../checkpoint/ledger.ts'
import { type CatchUp } from '../intake/catch-up.ts'
import { StreamReader } from '../intake/stream-reader.ts'
import {
  decodeEvent,
  isEventName,
  isUnreadable,
  type UnreadableEvent,
  type StreamEvent,
} from '../opencti/stream-event.ts'
import { parsePosition, type Position } from '../util/position.ts'
import { EventStream } from '../stream/event-stream.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { type Clock } from '../util/clock.ts'
import { systemRandom } from '../util/backoff.ts'
import { timeText } from './output.ts'
import { type StreamSource } from './stream-source.ts'

/** A frame about an entity, or of an unknown kind. */
export interface Frame {
  readonly message: Pick<StreamMessage, 'id' | 'event' | 'data' | 'bytes' | 'truncated'>
  readonly position: Position | undefined
  readonly event: StreamEvent | UnreadableEvent
}

/**
 * Follows a stream the way a connector does, reconnecting as needed. Does not register, and saves no
 * position.
 */
export async function followStream(options: FollowOptions): Promise<void> {
  const { source, from, catchUpUntilMs, clock, onNote, signal } = options
  const ledger = new Ledger({ from, catchUpUntilMs })
  for (const message of options.known ?? []) enter(ledger, frameOf(message))
  const isWanted = () => !signal.aborted
  const reader = new StreamReader({
    ledger,
    settings: source.settings.connector,
    clock,
    pipeline: {
      accept: (message, receipts) => {
        const frame = frameOf(message as StreamMessage)
        if (isWanted() && enter(receipts ?? ledger, frame)) options.onFrame(frame, ledger.catchingUp)
        return frame.position
      },
    },
    platform: { nowMs: undefined },
    keeper: { catchUpNotes: {} },
    startKind: 'first',
    room: options,
    handler: {
      onNotice: (notice) => {
        const text = noteOf(notice)
        if (text !== undefined) onNote(source.clean(text))
      },
      onGap: ({ from: wanted, firstAvailable }) => {
        onNote(
          `The platform's events start at ${momentText(firstAvailable)}: any since ${momentText(wanted)} are missing here.`,
        )
        return false
      },
      onReconnect: (reason) => events.reconnect(reason),
      onFuture: (wanted, beginsAt) =>
        onNote(
          `${momentText(wanted)} is in the platform's future; showing what comes after ${momentText(beginsAt)}.`,
        ),
      onStalled: () =>
        onNote(
          'The connection was dropped before it delivered anything new: the catch-up makes no progress.',
        ),
      onNoRecover: () => onNote('The platform cannot catch up this stream; showing live events only.'),
      onCaughtUp: (position) => onNote(`Caught up to ${position}; live from here on.`),
      onProgress: (ms) => {
        if (!ledger.catchingUp) options.onMoment?.(ms)
      },
    },
  })
  const events = new EventStream({
    http: source.http,
    url: source.url,
    handler: reader,
    clock,
    random: systemRandom,
  })
  await events.run(signal)
}

/** Options for {@link followStream}. */
export interface FollowOptions {
  readonly source: StreamSource
  readonly from: Position
  /** Catches up on existing entities until this time. */
  readonly catchUpUntilMs?: number | undefined
  /** Earlier frames after `from`; skipped if they arrive again. */
  readonly known?: Iterable<Frame['message']> | undefined
  /** Called once per frame, in order. Ids are not monotonic during a catch-up. */
  readonly onFrame: (frame: Frame, isCatchingUp: boolean) => void
  /** Returns undefined if there is room for more, or a promise to wait for. */
  readonly room: () => Promise<void> | undefined
  /** Called with information for the user. */
  readonly onNote: (text: string) => void
  /** Called when the stream has reached this time and no catch-up is running. */
  readonly onMoment?: ((ms: number) => void) | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** The time of a position, for people. */
function momentText(position: string): string {
  const at = parsePosition(position)
  return at === undefined || at.ms > 8.64e15 ? position : `${timeText(at.ms)} UTC`
}

function frameOf(message: Frame['message']): Frame {
  const { id, event: name, data, bytes } = message
  const position = id === undefined || id === '' ? undefined : parsePosition(id)
  if (message.truncated === true) return { message, position, event: { problem: `it has ${bytes} bytes` } }
  const event = isEventName(name)
    ? decodeEvent(name, data, position, bytes)
    : { problem: 'the kind of event is unknown' }
  return { message, position, event }
}

/** Recognizes frames seen before: the ledger, or first the catch-up, which knows those of its pieces. */
type Receipts = Pick<CatchUp, 'receive' | 'settle'> & Partial<Pick<CatchUp, 'hasTold'>>

/** Whether a frame is new, by the rules of a connector's pipeline. */
function enter(ledger: Receipts, { message, position, event }: Frame): boolean {
  const isBad = isUnreadable(event)
  const member = isBad
    ? `${message.event}:?${message.bytes}`
    : `${event.name}${event.isDependency ? '+' : ':'}${event.key}`
  const ticket = ledger.receive(position, member, isBad || !event.isDependency)
  if (ticket === undefined) return false
  const isTold = !isBad && event.name !== 'merge' && ledger.hasTold?.(event) === true
  ledger.settle(ticket)
  return !isTold
}

function noteOf(notice: StreamNotice): string | undefined {
  switch (notice.kind) {
    case 'refused':
    case 'stopped':
    case 'unauthorized':
    case 'broken':
    case 'silent':
      return `${notice.error.message} Retrying in ${Math.ceil(notice.retryInMs / 1000)} s.`
    case 'ended':
      return notice.retryInMs > 0
        ? `The platform ended the stream. Retrying in ${Math.ceil(notice.retryInMs / 1000)} s.`
        : undefined
    default:
      return undefined
  }
}
