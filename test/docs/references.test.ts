import { readFileSync } from 'node:fs'
import { defineSettings, settingsMarkdown } from 'opencti-stream-connector'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the error reference names every code, and none that is gone', () => {
  const source = read('src/errors/stream-connector-error.ts')
  const union = source.slice(source.indexOf('export type ErrorCode'), source.indexOf('\n\n'))
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)
  const documented = [...read('docs/reference/errors.md').matchAll(/^\| `([A-Z_]+)`/gm)].map(
    ([, code]) => code,
  )
  expect(documented.toSorted()).toEqual(codes.toSorted())
})

test('the settings reference lists what the code reads', () => {
  const rows = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.replaceAll(/\s+/g, ' '))
  expect(rows(read('docs/reference/settings.md'))).toEqual(rows(settingsMarkdown(defineSettings({}))))
})

test('README stays under 200 lines and names both commands', () => {
  const readme = read('README.md')
  expect(readme.split('\n').length).toBeLessThan(200)
  expect(readme).toContain('npm ci && npm run demo')
  expect(readme).toContain('npm ci && npm test')
})
