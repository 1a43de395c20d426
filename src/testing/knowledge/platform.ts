import { type Clock } from '../../util/clock.ts'
import { EventLog, type LoggedEvent } from '../live/event-log.ts'
import {
  type StreamContext,
  type StreamEnvelope,
  type StreamEventType,
  type StreamOrigin,
} from '../live/stream-envelope.ts'
import { type StreamId } from '../live/stream-id.ts'
import { contextOf, fieldChangesOf, isChanged } from './changes.ts'
import { isObservable, representativeOf } from './entity-types.ts'
import { KnowledgeBase, toStored, type StoredObject } from './knowledge-base.ts'
import {
  deriveObservables,
  linkReferences,
  toPlatformShape,
  type PlatformContext,
  type StixInput,
} from './platform-shape.ts'
import { placeProperty } from './property-placement.ts'
import { standardIdOf } from './standard-id.ts'
import { openCtiPropertiesOf, textsOf, type StixObject } from './stix-object.ts'

/**
 * New values by property (`undefined` or `null` removes one), or a function that modifies a copy of the
 * object.
 */
export type StixChanges = Readonly<Record<string, unknown>> | ((draft: StixObject) => void)

/** OpenCTI id of the default writing user. */
export const analystId = '88ec0c6a-13ce-5e39-b486-354fe4a7084f'

/**
 * The part of the platform that people and connectors write to. Each write changes the knowledge base and
 * adds an event.
 */
export class Platform {
  readonly knowledge = new KnowledgeBase()
  readonly log: EventLog
  readonly #clock: Clock
  readonly #isSeven: boolean
  readonly #listeners = new Set<() => void>()

  constructor({ clock, maxEvents, isSeven }: PlatformOptions) {
    this.log = new EventLog(maxEvents)
    this.#clock = clock
    this.#isSeven = isSeven
  }

  /** Calls `listener` after each new event. @returns a function that unsubscribes. */
  onEvent(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Stores an object without an event, as it was before the stream began.
   *
   * @param atMs time of its last update, in milliseconds since 1970; its own `updated_at` takes precedence.
   */
  seed(input: StixInput, atMs: number): StoredObject {
    const stored = toStored(toPlatformShape(input, this.#context(atMs)))
    this.knowledge.put(stored)
    return stored
  }

  create(input: StixInput, options: WriteOptions = {}): StoredObject {
    const draft = toPlatformShape(input, this.#context(this.#clock.now(), options.by))
    openCtiPropertiesOf(draft).created_at = new Date(this.#clock.now()).toISOString()
    this.#touch(draft)
    return this.#add(toStored(draft), options)
  }

  /** Stores an object and publishes its creation, but keeps its dates. */
  createAsDated(input: StixInput): StoredObject {
    return this.#add(toStored(toPlatformShape(input, this.#context(this.#clock.now()))), { origin: {} })
  }

  #add(stored: StoredObject, options: WriteOptions): StoredObject {
    if (this.knowledge.find(stored.properties.id) ?? this.knowledge.find(stored.object.id)) {
      throw new Error(`${stored.object.id} already exists. Call update() to change it.`)
    }
    this.knowledge.put(stored)
    this.#publish('create', stored, undefined, creationMessage(stored), undefined, options)
    return stored
  }

  update(id: string, changes: StixChanges, options: WriteOptions = {}): StoredObject {
    const before = this.get(id)
    const draft = structuredClone(before.object)
    if (typeof changes === 'function') changes(draft)
    else for (const [property, value] of Object.entries(changes)) placeProperty(draft, property, value)
    followPattern(before.object, draft)
    linkReferences(draft, this.#context(this.#clock.now()))
    this.#renew(before.object, draft)
    if (!isChanged(before.object, draft)) return before
    this.#touch(draft)
    const after = toStored(draft)
    this.knowledge.put(after)
    if (after.object.id !== before.object.id) this.knowledge.redirect(before.object.id, after.object.id)
    const fields = fieldChangesOf(before.object, after.object)
    const context: StreamContext = {
      ...contextOf(before.object, after.object),
      related_restrictions: { markings: [...(options.relatedRestrictions ?? [])] },
      pir_ids: [],
      ...(this.#isSeven && { changes: fields }),
    }
    this.#publish('update', after, before, `Update ${fields.length} elements`, context, options)
    return after
  }

  delete(id: string, options: WriteOptions = {}): StoredObject {
    const stored = this.get(id)
    this.knowledge.remove(stored)
    const message = creationMessage(stored).replace('creates', 'deletes')
    this.#publish('delete', stored, undefined, message, undefined, options)
    return stored
  }

  merge(targetId: string, sourceIds: readonly string[], options: WriteOptions = {}): StoredObject {
    const before = this.get(targetId)
    const sources = sourceIds.map((id) => this.get(id))
    if (sources.length === 0 || sources.includes(before)) {
      throw new Error('A merge needs at least one source, and the target cannot be one of them.')
    }
    const draft = structuredClone(before.object)
    const aliases = [...textsOf(draft['aliases']), ...sources.map(({ object }) => object['name'])]
    placeProperty(
      draft,
      'aliases',
      [...new Set(aliases)].filter((name) => name !== undefined && name !== draft['name']),
    )
    const foreign = sources.flatMap(({ object, properties }) => [
      object.id,
      ...textsOf(properties['stix_ids']),
    ])
    addForeignIds(draft, foreign)
    for (const property of ['labels', 'object_marking_refs', 'external_references', 'object_refs']) {
      const lists = [draft, ...sources.map(({ object }) => object)].map((object) => object[property])
      const joined = lists.filter((list) => Array.isArray(list)).flat() as unknown[]
      const kept = joined.filter((item) => item !== draft.id && !foreign.includes(item as string))
      if (joined.length > 0) placeProperty(draft, property, uniqueByContent(kept))
    }
    linkReferences(draft, this.#context(this.#clock.now()))
    this.#touch(draft)
    const after = toStored(draft)
    this.knowledge.put(after)
    for (const source of sources) this.knowledge.absorb(source, after)
    const names = sources.map(({ object }) => `\`${representativeOf(object)}\``).join(', ')
    const message = `merges ${after.properties.type} ${names} in \`${representativeOf(after.object)}\``
    const context = { ...contextOf(before.object, draft), sources: sources.map(({ object }) => object) }
    this.#publish('merge', after, before, message, context, options)
    return after
  }

  /** Adds a platform-internal event, which no live stream delivers. */
  publishInternal(stored: StoredObject): void {
    this.#publish('create', stored, undefined, 'internal', undefined, { origin: {} }, 'internal')
  }

  /** @throws Error if no object has this standard, former, foreign, or OpenCTI id. */
  get(id: string): StoredObject {
    const stored = this.knowledge.find(id)
    if (stored === undefined) throw new Error(`No object in the simulator has the id ${id}.`)
    return stored
  }

  readonly #find = (id: string) => this.knowledge.find(id)?.object

  #context(nowMs: number, by: string = analystId): PlatformContext {
    return { nowMs, creatorId: by, find: this.#find, isSeven: this.#isSeven }
  }

  /** Assigns the id derived from the new content, if the old id was derived from the old content. */
  #renew(before: StixObject, draft: StixObject): void {
    if (draft.id === before.id && standardIdOf(before) === before.id)
      draft.id = standardIdOf(draft) ?? draft.id
    if (draft.id !== before.id) addForeignIds(draft, [before.id])
  }

  #touch(draft: StixObject): void {
    const nowIso = new Date(this.#clock.now()).toISOString()
    const properties = openCtiPropertiesOf(draft)
    properties.updated_at = nowIso
    if (!isObservable(draft.type) && draft['modified'] !== undefined) draft['modified'] = nowIso
  }

  #publish(
    type: StreamEventType,
    current: StoredObject,
    previous: StoredObject | undefined,
    message: string,
    context: StreamContext | undefined,
    options: WriteOptions,
    scope: 'external' | 'internal' = 'external',
  ): void {
    const envelope: StreamEnvelope = {
      version: '4',
      type,
      scope,
      message,
      origin: options.origin ?? originOf(options.by),
      data: current.object,
      ...(context && { context }),
      ...(options.eventId !== undefined && { event_id: options.eventId }),
    }
    this.log.append(this.#clock.now(), (id, idText) => toLogged(id, idText, envelope, current, previous))
    for (const listener of this.#listeners) listener()
  }
}

/** Options of a write. */
export interface WriteOptions {
  /**
   * OpenCTI id of the writing user, for `origin.user_id`.
   * @default a web user
   */
  readonly by?: string | undefined
  /** The whole origin, replacing the default. `{}` looks like the platform's own work. */
  readonly origin?: StreamOrigin | undefined
  /** `event_id` of the event that caused this write (header `opencti-event-id` on the platform). */
  readonly eventId?: string | undefined
  /** Markings of related objects that a reader must have to see an update (7.x). */
  readonly relatedRestrictions?: readonly string[] | undefined
}

export interface PlatformOptions {
  readonly clock: Clock
  readonly maxEvents: number
  /** Whether events and extensions look like 7.x. */
  readonly isSeven: boolean
}

/** The `message` of a creation or dependency. For people; not stable on the platform either. */
export function creationMessage({ object, properties }: StoredObject): string {
  if (object.type !== 'relationship') return `creates a ${properties.type} \`${representativeOf(object)}\``
  const end = (name: 'source' | 'target') =>
    `\`${String(properties[`${name}_value`])}\` (${String(properties[`${name}_type`])})`
  return `creates the relation ${properties.type} from ${end('source')} to ${end('target')}`
}

function toLogged(
  id: StreamId,
  idText: string,
  envelope: StreamEnvelope,
  current: StoredObject,
  previous: StoredObject | undefined,
): LoggedEvent {
  let json: string | undefined
  const open = () => {
    const { version, type, scope, message, origin, context } = envelope
    const head = JSON.stringify({ version, type, scope, message, origin }).slice(0, -1)
    const tail = context === undefined ? '' : `,"context":${JSON.stringify(context)}`
    return `${head},"data":${current.json()}${tail}`
  }
  return { id, idText, envelope, current, previous, openJson: () => (json ??= open()) }
}

function originOf(userId: string = analystId): StreamOrigin {
  return {
    socket: 'query',
    ip: '::ffff:192.0.2.10',
    user_id: userId,
    group_ids: ['8e918465-ebb4-4cd0-8c08-4ea5ffef6735'],
    organization_ids: [],
    user_metadata: {},
  }
}

/** A changed pattern changes the listed observables, unless the change includes its own. */
function followPattern(before: StixObject, draft: StixObject): void {
  if (draft.type !== 'indicator' || draft['pattern'] === before['pattern']) return
  const properties = openCtiPropertiesOf(draft)
  const earlier = JSON.stringify(openCtiPropertiesOf(before)['observable_values'])
  if (JSON.stringify(properties['observable_values']) === earlier) deriveObservables(draft, properties)
}

function addForeignIds(draft: StixObject, ids: readonly string[]): void {
  const properties = openCtiPropertiesOf(draft)
  properties['stix_ids'] = [...new Set([...textsOf(properties['stix_ids']), ...ids])]
}

function uniqueByContent(items: readonly unknown[]): unknown[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()]
}
