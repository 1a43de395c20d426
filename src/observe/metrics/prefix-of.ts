/** Prefix of all metric names. */
export function prefixOf(...parts: readonly string[]): string {
  return parts.map((part) => (part === '' ? '' : `${part}_`)).join('')
}
