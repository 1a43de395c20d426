import { GraphqlFailure } from './graphql-failure.ts'

/** A filter in a query (OpenCTI platform, utils/filtering). */
export interface FilterGroup {
  readonly mode: 'and' | 'or'
  readonly filters: readonly Filter[]
  readonly filterGroups: readonly FilterGroup[]
}

interface Filter {
  readonly key: readonly string[]
  readonly values: readonly (string | null)[]
  readonly operator?: string | null | undefined
  readonly mode?: 'and' | 'or' | null | undefined
}

/** Returns an object's values under a filter key. */
export type ValuesOf = (key: string) => readonly string[]

type Test = (value: string, wanted: string) => boolean

const tests: Readonly<Record<string, Test>> = {
  eq: (value, wanted) => value === wanted,
  gt: (value, wanted) => compare(value, wanted) > 0,
  gte: (value, wanted) => compare(value, wanted) >= 0,
  lt: (value, wanted) => compare(value, wanted) < 0,
  lte: (value, wanted) => compare(value, wanted) <= 0,
  contains: (value, wanted) => value.includes(wanted),
  starts_with: (value, wanted) => value.startsWith(wanted),
  ends_with: (value, wanted) => value.endsWith(wanted),
  search: (value, wanted) => value.includes(wanted),
}

/** Whether an object matches a filter. An empty filter matches everything. */
export function matchesFilters(group: FilterGroup | null | undefined, valuesOf: ValuesOf): boolean {
  if (!group) return true
  const parts = [
    ...group.filters.map((filter) => () => matches(filter, valuesOf)),
    ...group.filterGroups.map((inner) => () => matchesFilters(inner, valuesOf)),
  ]
  if (parts.length === 0) return true
  return group.mode === 'and' ? parts.every((part) => part()) : parts.some((part) => part())
}

/** Ids the filter restricts matches to, if any, to look them up directly. */
export function idsOfFilters(group: FilterGroup | null | undefined): readonly string[] | undefined {
  if (!group || (group.mode === 'or' && group.filters.length + group.filterGroups.length > 1))
    return undefined
  const filter = group.filters.find(
    ({ key, operator, mode }) => key.join() === 'ids' && (operator ?? 'eq') === 'eq' && mode !== 'and',
  )
  return filter?.values.filter((value) => value !== null)
}

function matches(filter: Filter, valuesOf: ValuesOf): boolean {
  const present = filter.key.flatMap((key) => valuesOf(key)).map((value) => value.toLowerCase())
  const wanted = filter.values.map((value) => String(value).toLowerCase())
  const operator = filter.operator ?? 'eq'
  if (operator === 'nil') return present.length === 0
  if (operator === 'not_nil') return present.length > 0
  const isNegated = operator.startsWith('not_')
  const test = tests[isNegated ? operator.slice('not_'.length) : operator]
  if (test === undefined)
    throw new GraphqlFailure(`The simulator does not support the operator ${operator}.`, 'UNSUPPORTED_ERROR')
  const has = (value: string) => present.some((each) => test(each, value)) !== isNegated
  return filter.mode === 'and' ? wanted.every((value) => has(value)) : wanted.some((value) => has(value))
}

function compare(a: string, b: string): number {
  const [left, right] = [Number(a), Number(b)]
  if (!Number.isNaN(left) && !Number.isNaN(right)) return left - right
  return a < b ? -1 : a > b ? 1 : 0
}
