import { type ClusterKeys } from './cluster-keys.ts'

/** Redis passes the parts of a command to a script on its stack, which holds fewer than 8000. */
const maxIds = 500

/**
 * Entries that have ended here. They leave their partition with the commit that saves what they led to, and
 * the leader is told by the same commit.
 */
export class EndedEntries {
  readonly #keys: ClusterKeys
  #due: Ended[] = []
  #writing: Ended[] | undefined

  constructor(keys: ClusterKeys) {
    this.#keys = keys
  }

  /** @param onSaved called when Redis no longer has it. */
  add(partition: number, id: string, onSaved: () => void): void {
    this.#due.push({ partition, id, onSaved })
  }

  /** What the next commit must do. Call {@link saved} or {@link notSaved} afterwards. */
  commands(): readonly (readonly string[])[] {
    const ended = (this.#writing = this.#due)
    this.#due = []
    const commands: string[][] = []
    const byPartition = new Map<number, string[]>()
    for (const { partition, id } of ended) {
      const ids = byPartition.get(partition)
      if (ids === undefined) byPartition.set(partition, [id])
      else ids.push(id)
    }
    for (const [partition, ids] of byPartition) {
      for (let from = 0; from < ids.length; from += maxIds) {
        const some = ids.slice(from, from + maxIds)
        commands.push(
          ['XDEL', this.#keys.entries(partition), ...some],
          ['XADD', this.#keys.ended, '*', 'ids', some.join(' ')],
        )
      }
    }
    return commands
  }

  saved(): void {
    for (const { onSaved } of this.#writing ?? []) onSaved()
    this.#writing = undefined
  }

  /** Done again by the next commit: an entry that is already gone does no harm. */
  notSaved(): void {
    this.#due = [...(this.#writing ?? []), ...this.#due]
    this.#writing = undefined
  }
}

interface Ended {
  readonly partition: number
  readonly id: string
  readonly onSaved: () => void
}
