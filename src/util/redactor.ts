import { withoutEnd } from './without-end.ts'

/** What stands in a text where a secret stood. */
export const redacted = '[redacted]'

/** Shorter secrets are not searched for: they would tear ordinary words apart. */
const minSecretLength = 6

/**
 * Removes known secrets from text, wherever they appear: plain, URL-encoded or in base64.
 * One instance per connector, filled from its secret settings, used by every log line, error and page.
 */
export class Redactor {
  /** The spellings of each secret. */
  readonly #needles = new Map<string, readonly string[]>()
  /** All of them; undefined when they have changed. */
  #sorted: readonly string[] | undefined

  /** Remembers `secret`; texts are cleaned of it from now on. */
  add(secret: string): void {
    if (secret.length < minSecretLength || this.#needles.has(secret)) return
    // Half a character has no place in a URL.
    const inUrl = encodeURIComponent(String(Buffer.from(secret)))
    this.#needles.set(secret, [secret, inUrl, JSON.stringify(secret).slice(1, -1), ...base64Of(secret)])
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
    return clean
  }
}

/** What base64 makes of a secret, alone or after one or two other bytes: without the characters that also hold others. */
function base64Of(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]).toString('base64')
    const inner = encoded.slice(
      offset === 0 ? 0 : offset + 1,
      encoded.endsWith('=') ? withoutEnd(encoded, '=').length - 1 : undefined,
    )
    return inner.length < minSecretLength ? [] : [inner]
  })
}
