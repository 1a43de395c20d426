import { type Entity } from '../types/entity.ts'
import { openCtiFieldsOf } from '../types/entity-extensions.ts'
import { fieldsOf, listOf, textOf } from '../types/json-value.ts'
import { kindOfOpenCtiType, kindOfStixType } from '../types/observable-kinds.ts'
import { parsePattern } from '../pattern/parse-pattern.ts'
import { type PatternComparison, type PatternExpression } from '../pattern/pattern.ts'

/**
 * OpenCTI type an indicator is mainly about. Feeds omit it or write `Unknown`; then it is the type of the
 * first value the platform lists, or else of the first object in the pattern, as the platform determines it
 * (OpenCTI platform, modules/indicator/indicator-domain.ts). Undefined if nothing reveals it.
 */
export function mainObservableTypeOf(indicator: Entity): string | undefined {
  const fields = fieldsOf(indicator)
  const openCti = openCtiFieldsOf(fields)
  const told = textOf(openCti['main_observable_type']) ?? textOf(fields['x_opencti_main_observable_type'])
  return (
    knownType(told) ??
    firstOf(listOf(openCti['observable_values']), (value) => knownType(textOf(fieldsOf(value)['type']))) ??
    typeInPattern(fields) ??
    (told?.trim().toLowerCase() === 'unknown' ? undefined : told)
  )
}

/** An OpenCTI type name in OpenCTI's spelling. */
function knownType(name: string | undefined): string | undefined {
  return name === undefined ? undefined : kindOfOpenCtiType(name)?.type
}

function typeInPattern(fields: ReturnType<typeof fieldsOf>): string | undefined {
  const language = textOf(fields['pattern_type']) ?? 'stix'
  const text = textOf(fields['pattern'])
  if (text === undefined || language.trim().toLowerCase() !== 'stix') return undefined
  const result = parsePattern(text)
  return result.ok ? typeIn(result.pattern) : undefined
}

function typeIn(part: PatternExpression | PatternComparison): string | undefined {
  if ('path' in part) return kindOfStixType(part.path.type)?.type
  if (part.kind === 'observation') return typeIn(part.comparison)
  if (part.kind === 'qualified') return typeIn(part.operand)
  return firstOf<PatternExpression | PatternComparison, string>(part.operands, typeIn)
}

function firstOf<Item, Result>(
  items: readonly Item[] | undefined,
  read: (item: Item) => Result | undefined,
): Result | undefined {
  for (const item of items ?? []) {
    const result = read(item)
    if (result !== undefined) return result
  }
  return undefined
}
