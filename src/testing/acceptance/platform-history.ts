import { systemClock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'
import { type Random } from '../../util/backoff.ts'
import { labelsOf } from '../../stix/read/entity-text.ts'
import { tlpMarkingIds, type Tlp } from '../../stix/read/tlp.ts'
import { type Entity } from '../../stix/types/entity.ts'
import { buildIdentity } from '../builders/build-identities.ts'
import { buildIndicator } from '../builders/build-indicator.ts'
import { buildObservable } from '../builders/build-observable.ts'
import { buildMalware } from '../builders/build-threats.ts'
import { type BuildOptions } from '../builders/build-object.ts'
import { openCtiPropertiesOf, type StixObject } from '../knowledge/stix-object.ts'
import { type Simulator } from '../simulator.ts'
import { sharedPattern, type Anchors, type EntityKind } from './entity-kind.ts'

/** Entities with this label are outside of the stream. */
export const outsideLabel = 'outside-of-the-stream'

/** Changes within one millisecond have one `updated_at`: no catch-up can tell them apart. */
const pauseMs = 2

/** An entity of the history. */
export interface HistoryEntity {
  readonly kind: EntityKind
  /** OpenCTI id. */
  readonly id: string
  /** Its last state, also when it is gone. */
  last: StixObject
  /** What happened to it, oldest first, in the past tense. */
  readonly happenings: string[]
  isGone: boolean
  isOutside: boolean
  /** Nothing happens to it by chance. */
  isSpared: boolean
}

/** What happens to one entity. */
export type Happening = keyof typeof weights

/** How often each happens. */
const weights = {
  create: 28,
  update: 18,
  rate: 12,
  rename: 6,
  reword: 4,
  delete: 12,
  merge: 5,
  revoke: 4,
  leave: 6,
  return: 4,
  expire: 3,
}

/** What is done to whom is chosen by chance; what others refer to is never touched, since the platform tells nobody of that. */
export class PlatformHistory {
  readonly #simulator: Simulator
  readonly #random: Random
  readonly #kinds: readonly EntityKind[]
  readonly #options: HistoryOptions
  readonly #anchors: Anchors
  readonly #entities: HistoryEntity[] = []
  #seed = 0
  #expiresMs = 0

  constructor(
    simulator: Simulator,
    random: Random,
    kinds: readonly EntityKind[],
    options: HistoryOptions = {},
  ) {
    this.#simulator = simulator
    this.#random = random
    this.#kinds = kinds
    this.#options = options
    simulator.stream.filter = (object) => !labelsOf(object as unknown as Entity).includes(outsideLabel)
    const base = { labels: options.labels ?? ['botnet'] }
    this.#anchors = {
      author: buildIdentity({ seed: 900_001, name: 'An author' }),
      indicator: buildIndicator('domain', { seed: 900_002, ...base }),
      malware: buildMalware({ seed: 900_003, ...base }),
      observable: buildObservable('domain-name', { seed: 900_004, ...base }),
    }
    simulator.load(Object.values(this.#anchors))
  }

  get entities(): readonly HistoryEntity[] {
    return this.#entities
  }

  /** Wall time when the last indicator that was made to expire has expired, in milliseconds since 1970. */
  get expiresMs(): number {
    return this.#expiresMs
  }

  /** Adds `perKind` entities of each kind, older than the stream. @param isWithin whether the connector's filter takes them all. */
  load(perKind: number, isWithin = false): void {
    const options = isWithin ? this.#within : {}
    const made = this.#kinds.flatMap((kind) =>
      Array.from({ length: perKind }, () => [kind, this.#build(kind, options)] as const),
    )
    this.#simulator.load(made.map(([, object]) => object))
    for (const [kind, { id }] of made)
      this.#add(kind, this.#simulator.entity(id)!, 'was there from the beginning')
  }

  /** Changes the author of everything, who is always in the stream. */
  touch(description: string): void {
    this.#simulator.update(this.#anchors.author.id, { description })
  }

  /** Makes changes by chance. @param only what may happen; default: everything. */
  async change(count: number, only?: readonly Happening[]): Promise<void> {
    for (let index = 0; index < count; index++) await this.make(this.#choose(only))
  }

  /**
   * Makes one change of this kind, to a new entity, to one by chance, or to this one.
   *
   * @returns undefined if there is none to change, or if it does not happen to its kind.
   */
  async make(happening: Happening, to?: HistoryEntity): Promise<HistoryEntity | undefined> {
    await delay(systemClock, pauseMs)
    if (happening === 'create') return this.create()
    const entity = to ?? this.#pick(happening)
    if (entity === undefined || !canHappen(happening, entity.kind)) return undefined
    this.#happen(happening, entity)
    return entity
  }

  /** Creates an entity, of a kind by chance, and published. */
  create(kind: EntityKind = this.#pickKind(), options: Record<string, unknown> = {}): HistoryEntity {
    return this.#add(kind, this.#simulator.create(this.#build(kind, options)), 'was created')
  }

  /** Creates an entity that the connector's filter takes. */
  async createWithin(kind: EntityKind): Promise<HistoryEntity> {
    await delay(systemClock, pauseMs)
    return this.create(kind, this.#within)
  }

  /**
   * Creates an entity that the connector's filter takes, that this may happen to, and that nothing happens to by chance.
   *
   * @returns undefined if this happens to no kind that the connector takes.
   */
  async createFor(happening: Happening): Promise<HistoryEntity | undefined> {
    if (this.#options.without?.includes(happening) === true) return undefined
    const fit = this.#kinds.filter((kind) => canHappen(happening, kind))
    const kind = fit[Math.floor(this.#random() * fit.length)]
    if (kind === undefined) return undefined
    const entity = await this.createWithin(kind)
    entity.isSpared = true
    return entity
  }

  /** The state of an entity now, with what happened to it, in words. */
  biography(entity: HistoryEntity): string {
    const { name, value } = entity.last as Record<string, unknown>
    const title = typeof name === 'string' ? name : typeof value === 'string' ? value : entity.last.id
    const past = entity.happenings.slice(-4)
    const before = entity.happenings.length > past.length ? `… , ` : ''
    return `It belongs to the ${entity.kind.name} "${title}" (${entity.last.id}), which ${before}${past.join(', ')}.`
  }

  #happen(happening: Happening, entity: HistoryEntity): void {
    const number = ++this.#seed
    const note = (text: string) => entity.happenings.push(text)
    switch (happening) {
      // Each text is new to its entity, so that nothing is ever as it was before.
      case 'update':
        this.#update(entity, {
          description: `Description ${number}`,
          labels: this.#labels([`wave-${number}`]),
        })
        note('got another description and other labels')
        return
      case 'rate':
        if (number % 2 === 0) this.#update(entity, { x_opencti_score: this.#score() })
        else this.#update(entity, { object_marking_refs: [this.#marking()] })
        note(`got another ${number % 2 === 0 ? 'score' : 'marking'}`)
        return
      case 'rename':
        this.#update(entity, { [entity.kind.nameProperty!]: `Renamed ${number}` })
        note('was renamed')
        return
      case 'reword':
        this.#update(entity, { pattern: sharedPattern(entity.kind.sharedValues!, number) })
        note('got another pattern')
        return
      case 'delete':
        entity.last = this.#simulator.delete(entity.id)
        entity.isGone = true
        note('was deleted')
        return
      case 'merge': {
        const target =
          this.#entities.find(
            (other) => other !== entity && other.kind === entity.kind && this.#fits('merge', other),
          ) ?? this.create(entity.kind)
        target.last = this.#simulator.merge(target.id, [entity.id])
        target.happenings.push('took in another one in a merge')
        entity.isGone = true
        note('was merged into another one')
        return
      }
      case 'revoke':
        this.#update(entity, { revoked: true })
        note('was revoked')
        return
      case 'leave':
        this.#update(entity, { labels: this.#labels([outsideLabel]) })
        entity.isOutside = true
        note("left the stream's filter")
        return
      case 'return':
        this.#update(entity, { labels: this.#labels([`back-${number}`]) })
        entity.isOutside = false
        note("came back into the stream's filter")
        return
      case 'expire':
        this.#expiresMs = Math.max(this.#expiresMs, systemClock.now() + expiresInMs)
        this.#update(entity, { valid_until: new Date(systemClock.now() + expiresInMs).toISOString() })
        note(`was given a valid_until that has passed by now`)
        return
      default:
        throw new Error(`Nobody knows how to ${happening}.`)
    }
  }

  #update(entity: HistoryEntity, changes: Record<string, unknown>): void {
    entity.last = this.#simulator.update(entity.id, changes)
  }

  #add(kind: EntityKind, object: StixObject, happening: string): HistoryEntity {
    const entity: HistoryEntity = {
      kind,
      id: openCtiPropertiesOf(object).id,
      last: object,
      happenings: [happening],
      isGone: false,
      isOutside: false,
      isSpared: false,
    }
    this.#entities.push(entity)
    return entity
  }

  #build(kind: EntityKind, options: Record<string, unknown> = {}): StixObject {
    const given: BuildOptions & { seed: number } = {
      seed: ++this.#seed,
      created_by_ref: this.#anchors.author.id,
      labels: this.#labels(['botnet']),
      object_marking_refs: [this.#marking()],
      ...options,
    }
    return kind.build(given, this.#anchors)
  }

  #labels(labels: string[]): string[] {
    return [...labels, ...(this.#options.labels ?? [])]
  }

  #marking(): string {
    return tlpMarkingIds[this.#markings[Math.floor(this.#random() * this.#markings.length)]!]
  }

  /** What the connector's filter takes. */
  get #within(): Record<string, unknown> {
    return { x_opencti_score: 100, object_marking_refs: [tlpMarkingIds[this.#markings[0]!]] }
  }

  get #markings(): readonly Tlp[] {
    return this.#options.markings ?? ['TLP:CLEAR', 'TLP:GREEN', 'TLP:AMBER', 'TLP:RED']
  }

  #score(): number {
    const least = this.#options.minScore ?? 1
    return least + Math.floor(this.#random() * (101 - least))
  }

  #choose(only?: readonly string[]): Happening {
    const without: readonly string[] = this.#options.without ?? []
    const possible = Object.entries(weights).filter(
      ([name]) => !without.includes(name) && (only?.includes(name) ?? true),
    )
    let luck = this.#random() * possible.reduce((sum, [, weight]) => sum + weight, 0)
    const chosen = possible.find(([, weight]) => (luck -= weight) < 0)
    return (chosen?.[0] ?? 'create') as Happening
  }

  #pickKind(): EntityKind {
    return this.#kinds[Math.floor(this.#random() * this.#kinds.length)]!
  }

  #pick(happening: Happening): HistoryEntity | undefined {
    const fit = this.#entities.filter((entity) => this.#fits(happening, entity))
    return fit[Math.floor(this.#random() * fit.length)]
  }

  #fits(happening: Happening, { kind, isGone, isOutside, isSpared, last }: HistoryEntity): boolean {
    const { without = [] } = this.#options
    if (without.includes(happening) || isGone || isSpared) return false
    if (isOutside !== (happening === 'return')) return false
    // A revoked one may be gone from the target already.
    const isRevoked = last['revoked'] === true && ['merge', 'leave', 'revoke'].includes(happening)
    return !isRevoked && canHappen(happening, kind)
  }
}

/** Whether this happens to entities of a kind. */
function canHappen(happening: Happening, { nameProperty, sharedValues, type }: EntityKind): boolean {
  switch (happening) {
    case 'rename':
      return nameProperty !== undefined
    case 'reword':
      return sharedValues !== undefined
    case 'merge':
      return nameProperty !== undefined && type !== 'relationship'
    case 'revoke':
    case 'expire':
      return type === 'indicator'
    default:
      return true
  }
}

/** Time until an indicator expires that is made to, in milliseconds. */
const expiresInMs = 1500

/** What a history may do. */
export interface HistoryOptions {
  /** Labels that every entity has. */
  readonly labels?: readonly string[] | undefined
  /** Markings to choose from; the connector's filter takes the first. */
  readonly markings?: readonly Tlp[] | undefined
  /** @default 1 */
  readonly minScore?: number | undefined
  /** What does not happen. */
  readonly without?: readonly Happening[] | undefined
}
