import { mergeSourcesOf } from '../events/planner.ts'
import { memberOf } from '../intake/pipeline.ts'
import { isTold as isAboutState, type StreamEvent } from '../opencti/stream-event.ts'
import { entityKeyOf, previousStixIdOf } from '../stix/read/entity-ids.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { type EntryHead } from './entry-head.ts'

/** An event on its way to the partitions. */
export interface Publication {
  /**
   * The entries of each stage. A stage is published when the one before has ended, and other events when the
   * last stage is published.
   */
  readonly stages: readonly (readonly EntryHead[])[]
  /** Everything before must have ended, and nothing is published until it has ended itself. */
  readonly isAlone: boolean
  readonly data: string
  readonly bytes: number
  /** Number of its entries that have not ended. */
  left: number
  readonly onFinished: () => void
}

/** What becomes of an event in a cluster. */
export interface PublicationOptions {
  /** As in `EventRelay`. */
  readonly isTold: boolean
  readonly onFinished: () => void
  /** Whether the entities that a merge removes are withdrawn. */
  readonly listenDelete: boolean
  /** As in {@link EntryHead}. */
  readonly newest: string | undefined
}

/**
 * Divides an event into entries, each in the partition of the entity that it is about. A merge becomes one for
 * its target and, after that, one for each entity that it removes, so that each is done in its own lane by the
 * copy that owns it.
 */
export function publicationOf(
  event: StreamEvent,
  message: StreamMessage,
  { isTold, onFinished, listenDelete, newest }: PublicationOptions,
): Publication {
  const head: EntryHead = {
    event: message.event,
    id: message.id,
    bytes: message.bytes,
    key: event.key,
    member: memberOf(event),
    ...(isAboutState(event) ? {} : { isChange: true }),
    ...(isTold ? { isTold } : {}),
    ...(newest === undefined ? {} : { newest }),
  }
  const sources = listenDelete ? new Set(mergeSourcesOf(event).map((source) => entityKeyOf(source))) : none
  const partOf = (key: string): EntryHead => ({ ...head, key, isPart: true })
  const parts = [...sources].map(partOf)
  const own = sources.size === 0 ? head : partOf(event.key)
  const stages = parts.length === 0 ? [[own]] : isTold ? [parts] : [[own], parts]
  return {
    stages,
    isAlone: isRenamed(event),
    data: message.data,
    bytes: message.bytes,
    left: stages.flat().length,
    onFinished,
  }
}

const none: ReadonlySet<string> = new Set()

/** Whether the event is about an entity that had another key before, so that it concerns two partitions. */
function isRenamed({ key, entity, envelope }: StreamEvent): boolean {
  if (key !== entity.id) return false
  const former = previousStixIdOf(envelope.context?.reverse_patch)
  return former !== undefined && former !== key
}
