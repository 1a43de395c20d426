import { spellings } from './spellings.ts'
import { withoutCutSecrets } from './without-cut-secrets.ts'

/** What stands in a text where a secret stood. */
export const redacted = '[redacted]'

/** Shorter secrets are not searched for: they would tear ordinary words apart. */
const minSecretLength = 6

/**
 * Removes known secrets from text, wherever they appear and however they are encoded, and what is left of them where a text
 * was cut. One instance per connector, filled from its secret settings, used by every log line, error and page.
 */
export class Redactor {
  /** The spellings of each secret. */
  readonly #needles = new Map<string, readonly string[]>()
  /** All of them; undefined when they have changed. */
  #sorted: readonly string[] | undefined

  /** Remembers `secret`; texts are cleaned of it from now on. */
  add(secret: string): void {
    if (secret.length < minSecretLength || this.#needles.has(secret)) return
    this.#needles.set(
      secret,
      spellings(secret).filter((spelling) => spelling.length >= minSecretLength),
    )
    this.#sorted = undefined
  }

  /** `secret` opens nothing any more. */
  forget(secret: string): void {
    if (this.#needles.delete(secret)) this.#sorted = undefined
  }

  /** `text` without any of the secrets. */
  clean(text: string): string {
    // Longest first, so that a secret that contains another one is removed whole.
    this.#sorted ??= [...new Set([...this.#needles.values()].flat())].toSorted((a, b) => b.length - a.length)
    // One by one: an expression of them all has a limit to its size, and what it throws repeats them.
    let clean = text
    for (const needle of this.#sorted) if (clean.includes(needle)) clean = clean.replaceAll(needle, redacted)
    for (const needle of this.#sorted) clean = withoutCutSecrets(clean, needle, redacted)
    return clean
  }
}
