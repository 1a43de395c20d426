import { spellings } from './spellings.ts'
import { withoutCutSecrets } from './without-cut-secrets.ts'

/** Replacement for a secret in a text. */
export const redacted = '[redacted]'

/** Shorter secrets are not redacted: they would tear ordinary words apart. */
const minSecretLength = 6

/**
 * Redacts known secrets in text, wherever they appear and however they are encoded, and what a cut has left
 * of them. One instance per connector, filled from its secret settings, used for every log line, error, and
 * page.
 */
export class Redactor {
  /** Spellings of each secret. */
  readonly #needles = new Map<string, readonly string[]>()
  /** All spellings, sorted; undefined after a change. */
  #sorted: readonly string[] | undefined

  /** Adds a secret to redact from now on. */
  add(secret: string): void {
    if (secret.length < minSecretLength || this.#needles.has(secret)) return
    this.#needles.set(
      secret,
      spellings(secret).filter((spelling) => spelling.length >= minSecretLength),
    )
    this.#sorted = undefined
  }

  /** Removes a secret that no longer grants access to anything. */
  forget(secret: string): void {
    if (this.#needles.delete(secret)) this.#sorted = undefined
  }

  /** Redacts all secrets in `text`. */
  clean(text: string): string {
    // Longest first, so that a secret that contains another is removed whole.
    this.#sorted ??= [...new Set([...this.#needles.values()].flat())].toSorted((a, b) => b.length - a.length)
    // One by one: an expression of them all has a size limit, and its error would repeat them.
    let clean = text
    for (const needle of this.#sorted) if (clean.includes(needle)) clean = clean.replaceAll(needle, redacted)
    for (const needle of this.#sorted) clean = withoutCutSecrets(clean, needle, redacted)
    return clean
  }
}
