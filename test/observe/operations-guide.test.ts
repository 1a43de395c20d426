import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { histogramTable, metricTable } from '../../src/observe/metrics/metric-table.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const guide = read('docs/guides/operations.md')

/** The first cells of a table of the guide, with the rest of their rows, after a heading of its first column. */
function rowsOf(firstColumn: string): Map<string, string> {
  const lines = guide.split('\n')
  const start = lines.findIndex((line) => line.replaceAll(/\s+/g, ' ').startsWith(`| ${firstColumn} |`))
  expect(start, `the guide has a table that starts with ${firstColumn}`).toBeGreaterThan(0)
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
  return new Map(
    lines.slice(start + 2, end).map((line) => {
      const [, name, rest] = /^\| `([^`]+)`\s*\|(.*)$/.exec(line)!
      return [name!, rest!]
    }),
  )
}

/** The kinds in a union of notices, as its source names them. */
function kindsOf(source: string, union: string): string[] {
  const text = read(source)
  const start = text.indexOf(`export type ${union} =`)
  const end = text.indexOf('\n\n', start)
  const part = text.slice(start, end < 0 ? undefined : end)
  return [...part.matchAll(/kind: '([a-z-]+)'/g)].map(([, kind]) => kind!)
}

test('the guide names every metric with its type, and none that is gone', () => {
  const documented = [...rowsOf('Metric')].map(([name, rest]) => `${name} ${rest.split('|')[0]!.trim()}`)
  const served = [
    ...metricTable.map(({ name, type }) => `${name} ${type}`),
    ...histogramTable.map(({ name }) => `${name} histogram`),
  ]
  expect(documented.toSorted()).toEqual(served.toSorted())
})

test('the guide names the label of every metric with one', () => {
  const rows = rowsOf('Metric')
  for (const { name, label } of metricTable)
    if (label !== undefined) expect(rows.get(name)).toContain(`\`${label}\``)
})

test('the guide names every kind of notice, and none that is gone', () => {
  const kinds = kindsOf('src/contract/notices.ts', 'ConnectorNotice')
  expect(kinds.length).toBeGreaterThan(10)
  expect([...rowsOf('`kind`').keys()].toSorted()).toEqual(kinds.toSorted())
})

test('the guide names every kind of notice of the stream, and none that is gone', () => {
  const kinds = kindsOf('src/stream/stream-notice.ts', 'StreamNotice')
  expect(kinds.length).toBeGreaterThan(10)
  expect([...rowsOf('`notice.kind`').keys()].toSorted()).toEqual(kinds.toSorted())
})

test('the guide names every attribute of a span, and none that is gone', () => {
  const sources = ['tracing', 'event-span', 'run-in-span'].map((name) =>
    read(`src/observe/tracing/${name}.ts`),
  )
  const used = [...sources.join('').matchAll(/'((?:opencti|messaging)\.[a-z_.]+)'/g)].map(([, name]) => name!)
  expect(used.length).toBeGreaterThan(15)
  expect([...rowsOf('Attribute').keys()].toSorted()).toEqual([...new Set(used)].toSorted())
})

test('the guide names every setting that concerns operations', () => {
  const settings = [
    ...read('docs/reference/settings.md').matchAll(/`(CONNECTOR_(?:METRICS|HEALTH|EXPOSE|LOG)_\w+)`/g),
  ]
  expect(settings.length).toBeGreaterThan(6)
  for (const [, name] of settings) expect(guide).toContain(name)
})
