import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { connectorReference, referenceFile } from '../../scripts/connector-reference.ts'

const text = await readFile(referenceFile, 'utf8')

test('the connector reference says what the comments in the source say (npm run generate)', async () => {
  expect(text).toBe(await connectorReference())
}, 120_000)

test('the connector reference explains every hook, all that a hook is given, and every group of the defaults', () => {
  expect(text).toMatch(/^#### `replaceAll\?\(items: AsyncIterable<Item>, context: SnapshotContext\): /m)
  expect(text).toMatch(/^#### `idempotencyKey: string`\n\nIdentifies the call /m)
  const defaults = text.slice(text.indexOf('\n## Defaults\n'))
  const groups = [
    ...defaults.matchAll(/^#### `\w+\??: (?:Record<string, )?(\w+(?:Options|Settings))>?`/gm),
  ].map(([, name]) => name!)
  expect(groups.length).toBeGreaterThan(10)
  expect(groups.filter((name) => !defaults.includes(`\n### ${name}\n`))).toEqual([])
})
