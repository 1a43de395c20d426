import { type Redactor } from '../util/redactor.ts'

/** How deep objects and causes are followed. */
const maxDepth = 6

/** Takes secrets out of the words of an error, of its stack and of its causes; the error stays the same object. */
export function scrubError(error: unknown, redactor: Redactor, depth = 0): void {
  if (!(error instanceof Error) || depth > maxDepth) return
  for (const name of ['message', 'stack'] as const) {
    const text = error[name]
    if (typeof text !== 'string') continue
    const clean = redactor.clean(text)
    if (clean === text) continue
    try {
      Object.defineProperty(error, name, {
        value: clean,
        configurable: true,
        writable: true,
        enumerable: false,
      })
    } catch {
      // It is frozen. Who prints it goes through the logger, which cleans lines.
    }
  }
  scrubError(error.cause, redactor, depth + 1)
  if (error instanceof AggregateError) for (const one of error.errors) scrubError(one, redactor, depth + 1)
}

/** A copy of a plain value without secrets in its texts; the errors in it are cleaned as they are. */
export function scrubbed<Value>(value: Value, redactor: Redactor, depth = 0): Value {
  if (typeof value === 'string') return redactor.clean(value) as Value
  if (value instanceof Error) {
    scrubError(value, redactor)
    return value
  }
  if (typeof value !== 'object' || value === null || depth > maxDepth) return value
  if (Array.isArray(value)) return value.map((item: unknown) => scrubbed(item, redactor, depth + 1)) as Value
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      redactor.clean(name),
      scrubbed(item as unknown, redactor, depth + 1),
    ]),
  ) as Value
}
