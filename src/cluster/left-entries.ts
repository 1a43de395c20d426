import { comparePositions, type Position } from '../util/position.ts'
import { type EntryHead, positionOf } from './entry-head.ts'

/** What is known about an event that an earlier leader may have published. */
export type Whereabouts =
  /** It is unfinished, under this id. */
  | { readonly id: string }
  /** It has ended. */
  | 'finished'
  /** It must be published. If it was before, the id map recognizes it. */
  | 'unknown'

interface LeftEntry {
  readonly id: string
  readonly head: EntryHead
  readonly position: Position | undefined
}

/**
 * The unfinished entries that an earlier leader left in the partitions. The platform sends their events to the
 * new leader once more, which must wait for them instead of publishing them again.
 */
export class LeftEntries {
  readonly #byKey = new Map<string, LeftEntry[]>()
  readonly #keys = new Map<string, string>()

  /** In the order of the partition. */
  add(id: string, head: EntryHead): void {
    const known = this.#byKey.get(head.key)
    const entry = { id, head, position: positionOf(head) }
    if (known === undefined) this.#byKey.set(head.key, [entry])
    else known.push(entry)
    this.#keys.set(id, head.key)
  }

  /** An entry has ended. */
  delete(id: string): void {
    const key = this.#keys.get(id)
    if (key === undefined) return
    this.#keys.delete(id)
    const left = this.#byKey.get(key)!.filter((entry) => entry.id !== id)
    if (left.length === 0) this.#byKey.delete(key)
    else this.#byKey.set(key, left)
  }

  /**
   * Where the event of an entry that is about to be published is. Events of an entity are published and end in
   * the order of the stream: one before an unfinished one has ended.
   */
  find(head: EntryHead): Whereabouts {
    const left = this.#byKey.get(head.key)
    const position = positionOf(head)
    if (left === undefined || position === undefined) return 'unknown'
    const same = left.find(
      (each) =>
        each.head.id === head.id && each.head.member === head.member && each.head.isPart === head.isPart,
    )
    if (same !== undefined) return { id: same.id }
    // The positions of what only exists say nothing about the order.
    if (head.isChange !== true) return 'unknown'
    const isBefore = left.some(
      (each) =>
        each.head.isChange === true &&
        each.position !== undefined &&
        comparePositions(position, each.position) < 0,
    )
    return isBefore ? 'finished' : 'unknown'
  }
}
