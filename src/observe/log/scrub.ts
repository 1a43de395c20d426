import { type Redactor } from '../../util/redactor.ts'

/** How deep objects and causes are followed. */
const maxDepth = 6

/**
 * Takes secrets out of the words of an error, of its stack, its causes and whatever else it carries; the error stays
 * the same object.
 */
export function scrubError(error: unknown, redactor: Redactor, depth = 0): void {
  if (!(error instanceof Error) || depth > maxDepth) return
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(error))) {
    // What an error computes when it is asked is not touched, except for the stack, which V8 keeps so.
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
      // It is frozen. Who prints it goes through the logger, which cleans lines.
    }
  }
}

/**
 * A plain value without secrets in its texts: itself when there are none, else a copy. The errors in it are cleaned as
 * they are.
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
