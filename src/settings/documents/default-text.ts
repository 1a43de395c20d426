/** Formats a default for people; empty if there is nothing to show. */
export function defaultText(value: unknown): string {
  if (value === undefined || value === null || value === '' || Number.isNaN(value)) return ''
  if (Array.isArray(value)) return value.map(String).join(',')
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
