import { observableFromFields, type Obstacle, obstacleIn } from '../types/build-observable.ts'
import { type Entity } from '../types/entity.ts'
import { openCtiFieldsOf } from '../types/entity-extensions.ts'
import { type Fields, fieldsOf, listOf, textOf } from '../types/json-value.ts'
import { type NotExpressible, type Observable, type ObservablesResult } from '../types/observable.ts'
import { kindOfOpenCtiType, kindOfStixType } from '../types/observable-kinds.ts'
import { isObservable } from '../types/entity-groups.ts'
import { parsePattern } from '../pattern/parse-pattern.ts'
import { observablesOfPattern } from '../pattern/pattern-observables.ts'

const nothing: readonly never[] = Object.freeze([])
const noObservables: ObservablesResult = Object.freeze({ observables: nothing, notExpressible: nothing })

/**
 * What to look for: the observables of an indicator, or the observable an entity is. Each one alone makes the
 * indicator apply. Anything that cannot be expressed this way is listed in `notExpressible` with its reason
 * and location. Never returns a wrong value: `!=`, `NOT`, references, and conditions on several objects are
 * reported, not guessed. A file with a name **and** a hash is one observable with both.
 *
 * Uses the platform's own reading of the pattern (`observable_values`) if it can be trusted. The platform
 * lists one value for each `=` **and each `!=`**, ignores `AND`, strips all quotes, and keeps escapes
 * (OpenCTI platform, utils/syntax.js, `extractObservablesFromIndicatorPattern`); it also reads patterns of
 * other languages as if they were STIX. So if the pattern contains anything but plain equality and `OR`, the
 * pattern itself is parsed.
 *
 * @example
 * ```ts
 * import { observablesOf, type Entity } from 'opencti-stream-connector'
 *
 * function addresses(entity: Entity): string[] {
 *   const { observables, notExpressible } = observablesOf(entity)
 *   for (const part of notExpressible) console.log(`${entity.id} at ${part.line}:${part.column}: ${part.message}`)
 *   return observables.flatMap((observable) => (observable.type === 'IPv4-Addr' ? [observable.value] : []))
 * }
 * ```
 */
export function observablesOf(entity: Entity): ObservablesResult {
  const fields = fieldsOf(entity)
  const type = textOf(fields['type'])
  if (type === 'indicator') return observablesOfIndicator(fields)
  const kind = type === undefined ? undefined : kindOfStixType(type)
  if (kind === undefined)
    return isObservable(entity) ? { observables: nothing, notExpressible: [whole(noValue)] } : noObservables
  const observable = observableFromFields(kind, fields)
  if (observable !== undefined) return { observables: [observable], notExpressible: nothing }
  return { observables: nothing, notExpressible: [whole(obstacleIn(kind, fields))] }
}

function observablesOfIndicator(fields: Fields): ObservablesResult {
  const language = textOf(fields['pattern_type'])
  if (language !== undefined && language !== 'stix' && language.trim().toLowerCase() !== 'stix') {
    return { observables: nothing, notExpressible: [otherLanguage(language)] }
  }
  const pattern = textOf(fields['pattern'])
  const values = listOf(openCtiFieldsOf(fields)['observable_values'])
  if (pattern === undefined) {
    const result = values === undefined ? noObservables : observablesOfValues(values)
    if (result.observables.length > 0) return result
    return {
      observables: nothing,
      notExpressible: [whole({ reason: 'no-pattern', message: 'the indicator has no pattern' })],
    }
  }
  const isTrusted = values !== undefined && values.length > 0 && !saysMoreThanEquality.test(pattern)
  if (isTrusted && values.length === countOf('=', pattern)) {
    const result = observablesOfValues(values)
    if (result.notExpressible.length === 0) return result
  }
  const result = parsePattern(pattern)
  if (result.ok) return observablesOfPattern(result.pattern, pattern)
  const { message, offset, line, column } = result.problem
  return {
    observables: isTrusted ? observablesOfValues(values).observables : nothing,
    notExpressible: [{ reason: 'syntax', message, offset, line, column }],
  }
}

/**
 * Whether a pattern may contain anything but plain equality and `OR`. False positives are harmless: the
 * pattern is then parsed. Ignores case, because the platform's grammar once did.
 */
const saysMoreThanEquality =
  /[\\!<>*]|_refs?\b|\[\s*\d|\bextensions\b|=\s*[hbt]'|\b(?:AND|NOT|IN|FOLLOWEDBY|LIKE|MATCHES|ISSUBSET|ISSUPERSET|EXISTS|START|WITHIN|REPEATS)\b/i

function countOf(character: string, text: string): number {
  let count = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count += 1
  return count
}

/**
 * Reads `observable_values`: `{ type, value }`, or `{ type, hashes: [{ algorithm, hash }] }` and its
 * variants.
 */
function observablesOfValues(values: readonly unknown[]): ObservablesResult {
  const observables: Observable[] = []
  const notExpressible: NotExpressible[] = []
  for (const value of values) {
    const fields = fieldsOf(value)
    const type = textOf(fields['type'])
    const kind = type === undefined ? undefined : kindOfOpenCtiType(type)
    const observable = kind === undefined ? undefined : observableFromFields(kind, fields)
    if (observable !== undefined) observables.push(observable)
    else notExpressible.push(whole(kind === undefined ? noValue : obstacleIn(kind, fields)))
  }
  return { observables, notExpressible }
}

const otherLanguage = (language: string): NotExpressible => ({
  ...whole({
    reason: 'language',
    message: `the pattern is written in ${language.slice(0, 64)}, not in STIX`,
  }),
  language,
})

/** A reason that concerns the entity as a whole. */
function whole({ reason, message }: Obstacle): NotExpressible {
  return { reason, message, offset: 0, line: 1, column: 1 }
}

const noValue: Obstacle = { reason: 'type', message: 'there is no value for an observable of this type' }
