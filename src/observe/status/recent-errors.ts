import { type Clock } from '../../util/clock.ts'
import { shortened } from '../../util/shortened.ts'

/** Something that went wrong, once or several times in a row. */
export interface RecentError {
  /** What failed, in one or two words. */
  readonly what: string
  /** Why, cleaned of secrets. */
  readonly text: string
  /** The entity that it happened to last; absent when it concerns none. */
  readonly entityId?: string | undefined
  readonly count: number
  /** Wall time, in milliseconds since 1970. */
  readonly firstAtMs: number
  readonly lastAtMs: number
}

/** What is told of a text that can be as long as somebody else likes, in characters. */
export const maxTextCharacters = 400

/** Different errors that are remembered. */
const maxErrors = 8

/** Ids, ports and the like: errors that differ in nothing else are of one kind. */
const variable = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4,}/gi

const kindOf = (text: string) => text.replaceAll(variable, '#')

/** The last errors, newest first; one of the same kind again only counts up. Bounded in number and in size. */
export class RecentErrors {
  readonly #clock: Clock
  readonly #clean: (text: string) => string
  #errors: readonly RecentError[] = []

  /** @param clean takes secrets out of a text. */
  constructor(clock: Clock, clean: (text: string) => string) {
    this.#clock = clock
    this.#clean = clean
  }

  get all(): readonly RecentError[] {
    return this.#errors
  }

  note(error: {
    readonly what: string
    readonly text: string
    readonly entityId?: string | undefined
  }): void {
    const { what, entityId } = error
    // Cleaned while it is whole: half a secret is not recognized any more.
    const text = shortened(this.#clean(error.text), maxTextCharacters)
    const id = entityId === undefined ? undefined : shortened(this.#clean(entityId), maxTextCharacters)
    const lastAtMs = this.#clock.now()
    const kind = kindOf(text)
    const known = this.#errors.find((other) => other.what === what && kindOf(other.text) === kind)
    const { count, firstAtMs } = known ?? { count: 0, firstAtMs: lastAtMs }
    const newest = { what, text, entityId: id, count: count + 1, firstAtMs, lastAtMs }
    this.#errors = [newest, ...this.#errors.filter((other) => other !== known)].slice(0, maxErrors)
  }
}
