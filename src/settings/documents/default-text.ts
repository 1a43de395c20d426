/** A default as people read it; empty when there is nothing to tell. */
export function defaultText(value: unknown): string {
  if (value === undefined || value === null || value === '' || Number.isNaN(value)) return ''
  if (Array.isArray(value)) return value.map(String).join(',')
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
