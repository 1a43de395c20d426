import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Claim, type ClaimPlace, type StateStore } from '../store/state-store.ts'
import { intended } from './claims.ts'
import { Combination } from './combination.ts'
import { type CombineItems } from './combine-items.ts'
import { isPlaceAt } from './item-place.ts'

/** Number of claims to read at a time. */
const pageSize = 1000

/** The content of a list. */
export interface ListDigest {
  readonly count: number
  /** SHA-256 over the items in order, in hexadecimal. */
  readonly sha256: string
}

/**
 * Everything claimed, combined to one item per key, in order of key. It is read from the state in pages on
 * demand, so that a million items take no more memory than a thousand.
 */
export class ItemList {
  readonly #store: Pick<StateStore, 'claims'>
  readonly #combine: CombineItems | undefined
  readonly #route: string | undefined

  /**
   * @param combine the author's; undefined for the default.
   * @param route the items' route; undefined without routes.
   */
  constructor(
    store: Pick<StateStore, 'claims'>,
    combine: CombineItems | undefined,
    route: string | undefined,
  ) {
    this.#store = store
    this.#combine = combine
    this.#route = route
  }

  /** The number of items, and a digest that shows whether they have changed. */
  async digest(signal: AbortSignal): Promise<ListDigest> {
    const hash = createHash('sha256')
    let count = 0
    for await (const text of this.texts(signal)) {
      hash.update(text).update('\n')
      count++
    }
    return { count, sha256: hash.digest('hex') }
  }

  /** The items as JSON text. */
  async *texts(signal: AbortSignal): AsyncGenerator<string> {
    let key: string | undefined
    let item = new Combination(this.#combine)
    for await (const claim of this.#claims(signal)) {
      if (claim.key !== key) {
        if (key !== undefined) yield item.text()!
        key = claim.key
        item = new Combination(this.#combine)
      }
      item.add(claim.item)
    }
    if (key !== undefined) yield item.text()!
  }

  async *#claims(signal: AbortSignal): AsyncGenerator<Claim> {
    for (let after: ClaimPlace | undefined; ;) {
      signal.throwIfAborted()
      const page = await this.#store.claims({ after, limit: pageSize })
      for (const claim of page) {
        if (claim.item !== intended && isPlaceAt(claim.key, this.#route))
          yield { ...claim, item: claim.item.trimStart() }
      }
      if (page.length < pageSize) return
      after = page.at(-1)!
      // A store in this process answers immediately: let sockets and hooks run in between.
      await nextTurn()
    }
  }
}
