import { type StreamEvent } from '../opencti/stream-event.ts'

/** What a frame tells that was not sent because something happened: it is the state of an entity as it is. */
export function isTold({ name, envelope, isDependency, position }: StreamEvent): boolean {
  return position !== undefined && name === 'create' && (envelope.type === undefined || isDependency)
}
