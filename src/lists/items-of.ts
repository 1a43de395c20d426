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
  /** In its one spelling. */
  readonly value: string
}

/** A part of an entity that gave no item, and why, in one sentence for a person. */
export interface NotAnItem {
  readonly message: string
}

/** What {@link itemsOf} gives. */
export interface ItemsResult {
  /** Without repetitions, in the order of the entity. */
  readonly items: readonly ValueItem[]
  readonly notItems: readonly NotAnItem[]
}

/**
 * The items of an indicator or an observable: one for each value that alone makes it apply, as `observablesOf` tells them.
 * A file that is told by hashes gives one item for each hash. What no single value tells is in `notItems` with the reason:
 * a part of a pattern that is not expressible, an observable of several properties, a text that is no value of its kind.
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
    if (values.length === 0)
      notItems.push({ message: `no single value tells this ${observable.type} from another` })
    for (const [kind, text] of values) {
      const canonical = kind === undefined ? undefined : canonicalValue(kind, text)
      if (canonical === undefined) {
        notItems.push({ message: `a value of this ${observable.type} is no ${kind ?? 'hash'}` })
        continue
      }
      const key = `${canonical.kind}:${canonical.value}`
      if (!items.has(key)) items.set(key, { key, ...canonical })
    }
  }
  return { items: [...items.values()], notItems }
}

type Value = readonly [kind: ItemKind | undefined, text: string]

/** Observables that one property tells, whatever else they say, or only when they say nothing else. */
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
