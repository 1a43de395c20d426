import { type Redactor } from '../../util/redactor.ts'

/** Maximum nesting of objects and causes. */
const maxDepth = 6

/** Redacts an error in place: message, stack, causes, and everything else it carries. */
export function scrubError(error: unknown, redactor: Redactor, depth = 0): void {
  if (!(error instanceof Error) || depth > maxDepth) return
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(error))) {
    // Does not trigger getters, except for the stack, which V8 implements as one.
    const value: unknown = name === 'stack' ? error.stack : descriptor.value
    const clean = scrubbed(value, redactor, depth + 1)
    if (clean === value) continue
    try {
      Object.defineProperty(error, name, {
        value: clean,
        configurable: true,
        writable: true,
        enumerable: descriptor.enumerable === true,
      })
    } catch {
      // Frozen. The logger still redacts whatever is printed.
    }
  }
}

/**
 * Redacts the texts in a plain value. Returns the value itself if there are no secrets, otherwise a copy.
 * Errors in it are redacted in place.
 */
export function scrubbed<Value>(value: Value, redactor: Redactor, depth = 0): Value {
  if (typeof value === 'string') return redactor.clean(value) as Value
  if (value instanceof Error) {
    scrubError(value, redactor, depth + 1)
    return value
  }
  if (typeof value !== 'object' || value === null || depth > maxDepth) return value
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => scrubbed(item, redactor, depth + 1))
    return items.some((item, index) => item !== value[index]) ? (items as Value) : value
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  let isChanged = false
  const entries = Object.entries(value).map(([name, item]: [string, unknown]) => {
    const entry = [redactor.clean(name), scrubbed(item, redactor, depth + 1)] as const
    if (entry[0] !== name || entry[1] !== item) isChanged = true
    return entry
  })
  return isChanged ? (Object.fromEntries(entries) as Value) : value
}
