import { type RedisCommand } from '../redis/commit-arguments.ts'
import { type ClusterKeys } from './cluster-keys.ts'

/** A command of a commit has fewer than 8000 parts. */
const maxIds = 500

/** Entries that leave their partitions with a commit. */
export interface Departure {
  readonly commands: readonly RedisCommand[]
  /** The commit was made. */
  saved(): void
  /** It was not, or nobody knows: a later one does it again, which does no harm. */
  notSaved(): void
}

/**
 * Entries that have ended here. They leave their partition with the commit that saves what they led to, and
 * the leader is told by the same commit.
 */
export class EndedEntries {
  readonly #keys: ClusterKeys
  #due: Ended[] = []
  /** What they led to is in the commit that is about to be made. */
  #saving: Ended[] = []

  constructor(keys: ClusterKeys) {
    this.#keys = keys
  }

  /** @param onSaved called when Redis no longer has it. */
  add(partition: number, id: string, onSaved: () => void): void {
    this.#due.push({ partition, id, onSaved })
  }

  /** The next commit contains what all entries so far have led to. */
  save(): void {
    this.#saving = [...this.#saving, ...this.#due]
    this.#due = []
  }

  /** What that commit must do. */
  depart(): Departure {
    const entries = this.#saving
    this.#saving = []
    return {
      commands: this.#commandsFor(entries),
      saved: () => {
        for (const { onSaved } of entries) onSaved()
      },
      notSaved: () => {
        this.#due = [...entries, ...this.#due]
      },
    }
  }

  #commandsFor(entries: readonly Ended[]): RedisCommand[] {
    const byPartition = new Map<number, string[]>()
    for (const { partition, id } of entries) {
      const ids = byPartition.get(partition)
      if (ids === undefined) byPartition.set(partition, [id])
      else ids.push(id)
    }
    const commands: RedisCommand[] = []
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
}

interface Ended {
  readonly partition: number
  readonly id: string
  readonly onSaved: () => void
}
