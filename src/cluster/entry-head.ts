import { type Position, parsePosition } from '../util/position.ts'
import { type StreamMessage } from '../stream/stream-message.ts'

/** What an entry of a partition says about an event, beside the event's data. */
export interface EntryHead {
  /** Name of the frame. */
  readonly event: string
  /** Id of the frame. */
  readonly id?: string | undefined
  readonly bytes: number
  /** Key of the entity that the entry is about. */
  readonly key: string
  /** Identifies the frame within those that share its id. */
  readonly member: string
  /** Set if the entry is only about this entity of a merge. */
  readonly isPart?: true | undefined
  /** Set if it is about a change, at its place in the stream, rather than about what exists. */
  readonly isChange?: true | undefined
  /** Set if a catch-up already delivered the entity in this state or a newer one. */
  readonly isTold?: true | undefined
  /** The platform's newest event when the stream was opened, `<ms>-<seq>`. */
  readonly newest?: string | undefined
}

/** The message that an entry was made of. */
export function messageOf({ event, id, bytes }: EntryHead, data: string): StreamMessage {
  return { event, id, data, bytes }
}

/** Position of the event; undefined if it has none. */
export function positionOf({ id }: EntryHead): Position | undefined {
  return id === undefined || id === '' ? undefined : parsePosition(id)
}

/** The token of the leader that published the entry with this id. Grows with each leader. */
export function tokenOf(entryId: string): number {
  return Number(entryId.slice(0, entryId.indexOf('-')))
}
