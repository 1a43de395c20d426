import { type Clock } from '../../util/clock.ts'
import { shortened } from '../../util/shortened.ts'

/** An error that occurred once, or several times in a row. */
export interface RecentError {
  /** What failed, in one or two words. */
  readonly what: string
  /** Why, with secrets redacted. */
  readonly text: string
  /** The last affected entity. Undefined if it concerns none. */
  readonly entityId?: string | undefined
  readonly count: number
  /** Wall time, in milliseconds since 1970. */
  readonly firstAtMs: number
  readonly lastAtMs: number
}

/** Maximum length of a text others control, in characters. */
export const maxTextCharacters = 400

/** Number of different errors to remember. */
const maxErrors = 8

/** Ids, ports, and the like: errors that differ only in these are of one kind. */
const variable = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4,}/gi

const kindOf = (text: string) => text.replaceAll(variable, '#')

/** The last errors, newest first. Repeated errors of a kind are counted. Limited in number and size. */
export class RecentErrors {
  readonly #clock: Clock
  readonly #clean: (text: string) => string
  #errors: readonly RecentError[] = []

  /** @param clean redacts secrets. */
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
    // Redact before cutting: half a secret is no longer recognizable.
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
