import { isContainer, isRelation } from '../knowledge/entity-types.ts'
import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { type PlatformFeatures } from '../platform-profile.ts'
import { type LoggedEvent } from './event-log.ts'
import { type LiveView } from './live-view.ts'
import { type StreamContext, type StreamEventType } from './stream-envelope.ts'
import { type StreamParameters } from './stream-parameters.ts'

/** What a reader gets for an event. */
export type Translation =
  /** A full envelope, after its dependencies. */
  | {
      readonly kind: 'main'
      readonly event: StreamEventType
      /** Document to send. */
      readonly document: StoredObject
      /** Context, if different from the event's own. */
      readonly context: StreamContext | undefined
    }
  /**
   * A relation outside the filter that touches an object inside: a short envelope under the event's own name.
   */
  | { readonly kind: 'relation'; readonly event: StreamEventType; readonly document: StoredObject }

/**
 * Decides what a live stream reader gets for an event: an update can arrive as a create or delete if the
 * object enters or leaves the filter (graphql/sseMiddleware.js, live handler).
 *
 * @returns undefined if nothing.
 */
export function translateEvent(
  event: LoggedEvent,
  view: LiveView,
  parameters: StreamParameters,
  features: PlatformFeatures,
): Translation | undefined {
  const { envelope, current, previous } = event
  const { type } = envelope
  if (current.properties.is_inferred && !parameters.withInferences) return undefined
  const isWanted = features.isSeven ? view.isOriginWanted(envelope.origin) : true
  const restrictions = envelope.context?.related_restrictions?.markings
  const isRestricted =
    features.redactsUpdates && restrictions !== undefined && !view.hasMarkings(restrictions)
  const main = (
    name: StreamEventType,
    document = current,
    context?: StreamContext,
  ): Translation | undefined =>
    isWanted && !isRestricted ? { kind: 'main', event: name, document, context } : undefined

  const isVisible = view.isVisible(current)
  if (type === 'update') {
    const wasVisible = previous !== undefined && view.isVisible(previous)
    const emptied: StreamContext | undefined = features.redactsUpdates ? {} : undefined
    if (isVisible) return wasVisible ? main('update') : main('create', current, emptied)
    if (wasVisible && parameters.listenDelete) {
      return main('delete', features.redactsUpdates ? previous : current, emptied)
    }
  } else if (isVisible) {
    return type === 'delete' && !parameters.listenDelete ? undefined : main(type)
  }
  if (isRelation(current.object)) {
    // This path ignores `listen-delete`, on the platform, too.
    const touches = parameters.withDependencies && view.canRead(current) && view.hasVisibleEnd(current)
    return touches ? { kind: 'relation', event: type, document: current } : undefined
  }
  const isHeld = type === 'update' && !isContainer(current.object.type) && view.canRead(current)
  if (isHeld && !isRestricted && view.isInVisibleContainer(current)) {
    return { kind: 'main', event: 'update', document: current, context: undefined }
  }
  return undefined
}
