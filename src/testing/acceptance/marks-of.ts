import { type StixObject } from '../knowledge/stix-object.ts'

/** Shorter texts could turn up anywhere. */
const minLength = 5

/**
 * Texts by which a request to a target can be recognized as being about this object: those in it that no other object has,
 * also as they look in a URL and in JSON.
 */
export function marksOf(object: StixObject, others: Iterable<StixObject>): string[] {
  const elsewhere = [...others]
    .filter(({ id }) => id !== object.id)
    .map((other) => JSON.stringify(other))
    .join('\n')
  const own = [...textsIn(object)].filter(
    (text) => text.length >= minLength && !elsewhere.includes(JSON.stringify(text).slice(1, -1)),
  )
  return own.flatMap((text) => [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)])
}

/** Every text in a value, and what a pattern in it puts in quotes; no dates, which others have as well. */
function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') {
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return
    yield value
    for (const [, quoted] of value.matchAll(/'([^']+)'/g)) yield quoted!
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) yield* textsIn(part)
  }
}
