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
  #pattern: RegExp | undefined

  /** Remembers `secret`; texts are cleaned of it from now on. */
  add(secret: string): void {
    if (secret.length < minSecretLength || this.#needles.has(secret)) return
    const spellings = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]
    this.#needles.set(secret, [...spellings, ...base64Of(secret)])
    this.#compile()
  }

  /** `secret` opens nothing any more. */
  forget(secret: string): void {
    if (this.#needles.delete(secret)) this.#compile()
  }

  #compile(): void {
    // Longest first, so that a secret that contains another one is removed whole.
    const sorted = [...new Set([...this.#needles.values()].flat())].toSorted((a, b) => b.length - a.length)
    this.#pattern = sorted.length === 0 ? undefined : new RegExp(sorted.map(escapeForRegExp).join('|'), 'g')
  }

  /** `text` without any of the secrets. */
  clean(text: string): string {
    return this.#pattern === undefined ? text : text.replace(this.#pattern, redacted)
  }
}

/** What base64 makes of a secret, alone or after one or two other bytes: without the characters that also hold others. */
function base64Of(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]).toString('base64')
    const inner = encoded.slice(
      offset === 0 ? 0 : offset + 1,
      encoded.endsWith('=') ? encoded.replace(/=+$/, '').length - 1 : undefined,
    )
    return inner.length < minSecretLength ? [] : [inner]
  })
}

/** `RegExp.escape`, which Node 22 does not have yet. */
function escapeForRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
}
