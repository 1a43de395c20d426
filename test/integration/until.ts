/**
 * Waits until `look` finds something, bounded in time.
 *
 * @param what what is waited for, for the message of a test that waited in vain.
 * @throws Error when `limitMs` is over.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  limitMs = 20_000,
  lookEveryMs = 3,
): Promise<NonNullable<Exclude<T, false>>> {
  const endMs = performance.now() + limitMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== null && found !== false)
      return found as NonNullable<Exclude<T, false>>
    if (performance.now() > endMs) throw new Error(`waited ${limitMs} ms in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  }
}
