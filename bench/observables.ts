import { type Entity, observablesOf } from 'opencti-stream-connector'
import { buildIndicator, type IndicatorKind } from 'opencti-stream-connector/testing'
import { type Rate, Stopwatch } from './stopwatch.ts'

const kinds: readonly IndicatorKind[] = [
  'ipv4',
  'ipv6',
  'domain',
  'url',
  'email',
  'md5',
  'sha1',
  'sha256',
  'or',
]
const withConditions: readonly IndicatorKind[] = ['and', 'in', 'followed-by', 'hostname', 'sha512']

/** Number of different indicators, processed repeatedly. */
const variety = 5000

/** Speed of `observablesOf` if the platform lists the values, and if the pattern must be parsed. */
export function measureObservables(way: 'values' | 'pattern', calls: number): Rate {
  const indicators = Array.from({ length: variety }, (_, index): Entity => {
    const all = way === 'values' ? kinds : [...kinds, ...withConditions]
    const indicator = buildIndicator(all[index % all.length]!, { seed: index + 1 })
    // As received.
    const copy = JSON.parse(JSON.stringify(indicator)) as Record<string, unknown>
    if (way === 'pattern') delete extensionsOf(copy)['observable_values']
    return copy as unknown as Entity
  })
  let found = 0
  const stopwatch = new Stopwatch()
  for (let call = 0; call < calls; call++)
    found += observablesOf(indicators[call % variety]!).observables.length
  const rate = stopwatch.rate(calls)
  if (found < calls) throw new Error(`Only ${found} observables in ${calls} indicators.`)
  return rate
}

function extensionsOf(indicator: Record<string, unknown>): Record<string, unknown> {
  const extensions = Object.values(indicator['extensions'] as Record<string, Record<string, unknown>>)
  return extensions.find((extension) => 'observable_values' in extension) ?? {}
}
