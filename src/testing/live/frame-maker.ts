import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { type PlatformFeatures } from '../platform-profile.ts'
import { dependenciesOf, type DependencyRules } from './dependencies.ts'
import { type LoggedEvent } from './event-log.ts'
import { frame, shortFrame } from './frames.ts'
import { type FrameGroup } from './group-writer.ts'
import { type LiveView } from './live-view.ts'
import { type LruSet } from './lru-set.ts'
import { type StreamParameters } from './stream-parameters.ts'
import { translateEvent } from './translate-event.ts'

/** Creates the frames of one connection. Created frames count as sent. */
export class FrameMaker {
  readonly #options: FrameMakerOptions
  readonly #rules: Omit<DependencyRules, 'remembersRelations'>

  constructor(options: FrameMakerOptions) {
    const { features, parameters } = options
    this.#options = options
    this.#rules = {
      withRelations: parameters.withDependencies,
      withInferences: parameters.withInferences,
      deepestFirst: features.isSeven,
    }
  }

  /** Frame of a catch-up object; undefined if it was already sent or is not allowed. */
  ofObject(stored: StoredObject): FrameGroup | undefined {
    const { sent } = this.#options
    if (sent.has(stored.object.id)) return undefined
    const id = `${stored.updatedMs}-0`
    const dependencies = this.#dependencies(id, stored, true)
    if (dependencies === undefined) return undefined
    sent.add(stored.object.id)
    return { id, dependencies, main: this.#short(id, 'create', stored, 'init-create') }
  }

  /** Frame of an event on the raw stream: as published, with its provenance if any. */
  ofRawEvent({ idText, envelope, openJson }: LoggedEvent): FrameGroup {
    const provenance =
      envelope.event_id === undefined ? '' : `,"event_id":${JSON.stringify(envelope.event_id)}`
    return { id: idText, dependencies: [], main: frame(envelope.type, `${openJson()}${provenance}}`, idText) }
  }

  /**
   * Frames of an event on a live stream; undefined if this reader gets nothing.
   *
   * @param index its position among the events read together, which shows in its `event_id`.
   */
  ofEvent(event: LoggedEvent, index: number): FrameGroup | undefined {
    const { features, parameters, view, sent } = this.#options
    const translation = translateEvent(event, view, parameters, features)
    if (translation === undefined) return undefined
    const { document } = translation
    const id = event.idText
    const dependencies = this.#dependencies(id, document, false)
    if (dependencies === undefined) return undefined
    sent.add(document.object.id)
    const main =
      translation.kind === 'relation'
        ? this.#short(id, translation.event, document, 'init-dependencies', event.envelope.message)
        : frame(translation.event, this.#envelopeJson(event, document, translation.context, index), id)
    return { id, dependencies, main }
  }

  #dependencies(id: string, stored: StoredObject, remembersRelations: boolean): string[] | undefined {
    const { view, sent } = this.#options
    return dependenciesOf(stored, view, sent, { ...this.#rules, remembersRelations })?.map((dependency) =>
      this.#short(id, 'create', dependency, 'init-dependencies'),
    )
  }

  #short(
    id: string,
    event: string,
    stored: StoredObject,
    referer: 'init-create' | 'init-dependencies',
    message?: string,
  ): string {
    const data = this.#options.view.stripped(stored.object)
    const json = data === stored.object ? undefined : JSON.stringify(data)
    return shortFrame(id, event, stored, referer, message, json)
  }

  /** The full envelope: shared text if this reader gets it unchanged, otherwise their own. */
  #envelopeJson(
    event: LoggedEvent,
    document: StoredObject,
    context: LoggedEvent['envelope']['context'],
    index: number,
  ): string {
    const eventId = JSON.stringify(event.envelope.event_id ?? `${event.current.updatedMs}-${index}`)
    const data = this.#options.view.redacted(document.object)
    if (context === undefined && data === event.envelope.data)
      return `${event.openJson()},"event_id":${eventId}}`
    const envelope = { ...event.envelope, data, ...(context && { context }) }
    return `${JSON.stringify({ ...envelope, event_id: undefined }).slice(0, -1)},"event_id":${eventId}}`
  }
}

/** What the frames of a connection depend on. */
export interface FrameMakerOptions {
  readonly features: PlatformFeatures
  readonly parameters: StreamParameters
  readonly view: LiveView
  /** Ids of the objects the connection has sent. */
  readonly sent: LruSet
}
