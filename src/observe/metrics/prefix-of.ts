/** What comes before the name of each metric. */
export function prefixOf(...parts: readonly string[]): string {
  return parts.map((part) => (part === '' ? '' : `${part}_`)).join('')
}
