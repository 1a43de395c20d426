import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { defineSettings, loadSettings, secret, SettingsError, z } from 'opencti-stream-connector'
import { afterAll, beforeAll, expect } from 'vitest'
import { canary } from './hostile-texts.ts'
import { mutated, mutation } from './mutations.ts'
import { testFuzz } from './test-fuzz.ts'

const definition = defineSettings({
  mine: z.object({
    key: secret().optional(),
    names: z.array(z.string()).optional(),
    count: z.int().optional(),
  }),
})

const good = `# settings
opencti:
  url: https://opencti.example.com
  token: '${canary}-token'
connector:
  id: 2b0bd5a4-6a5f-4f2c-8d1e-3a6bd3a6b001
  name: "Example"
  live_stream_id: live
  filter_types: [indicator, malware]
  concurrency: 4
mine:
  key: ${canary}-key
  names:
    - one
    - two
  count: 3
`

/** Pieces of YAML beyond plain values. */
const trick = fc.constantFrom(
  '\uFEFF',
  '\r\n',
  '---\n',
  '...\n',
  '%YAML 9.9\n---\n',
  '? [a, b]\n: c\n',
  '<<: *a\n',
  '<<: {opencti: {token: x}}\n',
  'opencti: {token: y}\n',
  '__proto__: {polluted: 1}\n',
  'constructor: {prototype: {polluted: 1}}\n',
  'a: &a [*a, *a]\n',
  'a: &a {<<: *a}\n',
  '!!js/function "x": 1\n',
  '!!binary "/w=="\n',
  'mine: !!set {a, b}\n',
  'mine: !<tag:evil> 1\n',
  'mine: 2026-13-45T99:99:99Z\n',
  'mine: .nan\n',
  'mine: 0o777\n',
  'mine: 190:20:30\n',
  '1: 2\n',
  'null: 1\n',
  '[[[[: 1\n',
  '- 1\n',
  '\tx: 1\n',
  '"\\x00": 1\n',
  '|\n',
)
const bomb = fc.integer({ min: 2, max: 40 }).map((levels) => {
  const lines = Array.from({ length: levels }, (_, at) => `l${at + 1}: &l${at + 1} [${`*l${at},`.repeat(9)}]`)
  return `l0: &l0 [x]\n${lines.join('\n')}\n`
})
const deep = fc
  .tuple(fc.constantFrom('[', '{a: ', '- '), fc.integer({ min: 1, max: 20_000 }))
  .map(([open, depth]) => `x: ${open === '- ' ? '\n  ' : ''}${open.repeat(depth)}\n`)

const inputs = fc.record({
  tricks: fc.array(fc.tuple(fc.oneof({ weight: 9, arbitrary: trick }, bomb, deep), fc.nat(20)), {
    maxLength: 4,
  }),
  mutations: fc.array(mutation, { maxLength: 5 }),
  lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
})

let directory: string
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'fuzz-'))))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

testFuzz('reads a config.yml of any bytes, or refuses it without showing any of it', inputs, (input) => {
  const lines = good.split(/(?<=\n)/)
  for (const [text, line] of input.tricks) lines.splice(line, 0, text)
  const bytes = mutated(Buffer.from(lines.join('').replaceAll('\n', input.lineEnd)), input.mutations)
  writeFileSync(join(directory, 'config.yml'), bytes)
  const startMs = performance.now()
  try {
    const { settings } = loadSettings(definition, { env: {}, directory })
    expect(typeof settings.connector.name).toBe('string')
    expect(settings.opencti.url).toMatch(/^https?:/)
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    expect(`${error.message}${inspect(error, { depth: 9 })}`).not.toContain(canary)
    expect(error.problems.every((problem) => problem.remedy !== '')).toBe(true)
  }
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  expect(performance.now() - startMs).toBeLessThan(15_000)
})
