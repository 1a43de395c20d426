import { observablesOf } from '../stix/read/observables-of.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type Hashes } from '../stix/types/hashes.ts'
import { type Observable } from '../stix/types/observable.ts'
import { hashKindOf } from './canonical-hash.ts'
import { canonicalValue, isItemKind, type ItemKind } from './canonical-value.ts'

/** A value that a target can hold, with its key. */
export interface ValueItem {
  /** `kind:value`. */
  readonly key: string
  readonly kind: ItemKind
  /** In canonical form. */
  readonly value: string
}

/** A part of an entity without an item, and why, in one sentence for a person. */
export interface NotAnItem {
  readonly message: string
}

/** The result of {@link itemsOf}. */
export interface ItemsResult {
  /** Without duplicates, in the order of the entity. */
  readonly items: readonly ValueItem[]
  readonly notItems: readonly NotAnItem[]
}

/**
 * The items of an indicator or observable: one for each value that alone makes it apply, as reported by
 * `observablesOf`. A file identified by hashes has one item per hash. `notItems` lists everything that no
 * single value can represent, with the reason: an inexpressible part of a pattern, an observable with several
 * properties, a text that is not a value of its kind.
 *
 * @example
 * ```ts
 * import { itemsOf, type Entity } from 'opencti-stream-connector'
 *
 * const domainsOf = (entity: Entity) => itemsOf(entity).items.filter(({ kind }) => kind === 'domain-name')
 * ```
 */
export function itemsOf(entity: Entity): ItemsResult {
  const { observables, notExpressible } = observablesOf(entity)
  const items = new Map<string, ValueItem>()
  const notItems: NotAnItem[] = notExpressible.map(({ message }) => ({ message }))
  for (const observable of observables) {
    const values = valuesOf(observable)
    if (values.length === 0) notItems.push({ message: `no single value identifies this ${observable.type}` })
    for (const [kind, text] of values) {
      const canonical = kind === undefined ? undefined : canonicalValue(kind, text)
      if (canonical === undefined) {
        notItems.push({ message: `a value of this ${observable.type} is not a valid ${kind ?? 'hash'}` })
        continue
      }
      const key = `${canonical.kind}:${canonical.value}`
      if (!items.has(key)) items.set(key, { key, ...canonical })
    }
  }
  return { items: [...items.values()], notItems }
}

type Value = readonly [kind: ItemKind | undefined, text: string]

/**
 * The values of observables that a single property identifies, either always or only if they have no other
 * properties.
 */
function valuesOf(observable: Observable): readonly Value[] {
  if ('value' in observable) return [[kindOfValue(observable.type), observable.value]]
  if ('hashes' in observable && observable.hashes !== undefined) return hashesAsValues(observable.hashes)
  if (observable.type === 'Autonomous-System')
    return observable.number === undefined ? [] : [['autonomous-system', String(observable.number)]]
  const { type, ...properties } = observable
  const [only, ...others] = Object.values(properties)
  if (typeof only !== 'string' || others.length > 0) return []
  if ('url' in properties) return [['url', only]]
  const kind = type === 'StixFile' ? 'file' : type.toLowerCase()
  return isItemKind(kind) ? [[kind, only]] : []
}

function kindOfValue(type: string): ItemKind | undefined {
  const kind = type === 'Hostname' ? 'domain-name' : type.toLowerCase()
  return isItemKind(kind) ? kind : undefined
}

function hashesAsValues(hashes: Hashes): readonly Value[] {
  return Object.entries(hashes).flatMap(([algorithm, hash]) =>
    hash === undefined ? [] : [[hashKindOf(algorithm), hash] as const],
  )
}
