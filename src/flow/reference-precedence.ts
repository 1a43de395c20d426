import { previousStixIdOf } from '../stix/read/entity-ids.ts'
import { referencesOf } from '../stix/read/references-of.ts'
import { Queue } from '../util/queue.ts'
import { type Operation } from '../events/operation.ts'
import { type Precedence } from './precedence.ts'

/** Operations about an entity, and those that reference it, in stream order. */
interface Place {
  /** Number of holders: one operation about the entity, or any number that reference it. */
  holders: number
  /** Whether the holders only reference it. */
  isShared: boolean
  waiting: Queue<Claim> | undefined
}

interface Claim {
  readonly operation: Operation
  readonly isShared: boolean
}

/** Places an operation has claimed. */
interface Claims {
  readonly own: readonly string[]
  readonly named: readonly string[]
}

/**
 * An operation that references an entity waits for earlier ones about it, and one about an entity waits for
 * earlier ones that reference it: a relationship for its ends, the delete of an end for the delete of its
 * relationships. Operations referencing the same entity do not wait for each other.
 */
export class ReferencePrecedence implements Precedence {
  /** By STIX id. */
  readonly #places = new Map<string, Place>()
  readonly #claims = new Map<Operation, Claims>()

  enter(operation: Operation): void {
    const own = idsOf(operation)
    const named = referencesOf(operation.entity).filter((id) => !own.includes(id))
    this.#claims.set(operation, { own, named })
    for (const id of own) this.#claim(id, { operation, isShared: false })
    for (const id of named) this.#claim(id, { operation, isShared: true })
  }

  leave(operation: Operation, ready: Queue<Operation>): void {
    const claims = this.#claims.get(operation)
    if (claims === undefined) return
    this.#claims.delete(operation)
    for (const id of claims.own) this.#release(id, ready)
    for (const id of claims.named) this.#release(id, ready)
  }

  /** The earlier one has not waited for what it did not claim. */
  mayFold(earlier: Operation, newer: Operation): boolean {
    const claims = this.#claims.get(earlier)
    if (claims === undefined) return false
    const named = new Set(claims.named)
    return (
      idsOf(newer).every((id) => claims.own.includes(id)) &&
      referencesOf(newer.entity).every((id) => named.has(id) || claims.own.includes(id))
    )
  }

  keep(started: Iterable<Operation>): void {
    const claims = [...started].map((operation) => [operation, this.#claims.get(operation)] as const)
    this.#places.clear()
    this.#claims.clear()
    // They only claim it together, so none of them waits.
    for (const [operation, { own, named } = { own: [], named: [] }] of claims) {
      this.#claims.set(operation, { own, named })
      for (const id of own) this.#claim(id, { operation, isShared: false })
      for (const id of named) this.#claim(id, { operation, isShared: true })
    }
  }

  #claim(id: string, claim: Claim): void {
    const place = this.#places.get(id)
    if (place === undefined) {
      this.#places.set(id, { holders: 1, isShared: claim.isShared, waiting: undefined })
    } else if (claim.isShared && place.isShared && place.waiting === undefined) {
      place.holders++
    } else {
      claim.operation.blockedBy++
      place.waiting ??= new Queue()
      place.waiting.push(claim)
    }
  }

  #release(id: string, ready: Queue<Operation>): void {
    const place = this.#places.get(id)!
    if (--place.holders > 0) return
    const { waiting } = place
    if (waiting === undefined) {
      this.#places.delete(id)
      return
    }
    place.isShared = waiting.first!.isShared
    do {
      const { operation } = waiting.shift()!
      place.holders++
      if (--operation.blockedBy === 0) ready.push(operation)
    } while (place.isShared && waiting.first?.isShared === true)
    if (waiting.size === 0) place.waiting = undefined
  }
}

/** STIX ids of the operation's own entity: after a rename, both the old and the new one. */
function idsOf({ entity, event }: Operation): readonly string[] {
  const former = entity === event.entity ? previousStixIdOf(event.envelope.context?.reverse_patch) : undefined
  return former === undefined || former === entity.id ? [entity.id] : [entity.id, former]
}
