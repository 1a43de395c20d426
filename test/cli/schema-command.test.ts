import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defineSettings, settingsMarkdown } from 'opencti-stream-connector'
import { temporaryFolder } from '../temporary-folder.ts'
import { readmeConnector, readmeSettings, writeConnector } from './connector-files.ts'
import { runCli } from './run-cli.ts'
import { version } from '../../src/util/version.ts'

interface Schema {
  readonly $id: string
  readonly properties: Record<string, Record<string, unknown>>
  readonly required: string[]
}

test('the settings of a connector as JSON Schema, with environment names as keys and no value of them', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, `${await readmeConnector()}\nawait SiemConnector.run()`)
  const { code, out, error } = await runCli(['schema', file], readmeSettings)
  expect({ code, error }).toEqual({ code: 0, error: '' })
  const schema = JSON.parse(out) as Schema
  expect(schema.$id).toBe('https://www.filigran.io/connectors/my-siem_config.schema.json')
  expect(schema.required).toContain('MY_SIEM_API_KEY')
  // Secrets are known as such although the file has another copy of this package than the command.
  expect(schema.properties['MY_SIEM_API_KEY']).toEqual({
    type: 'string',
    format: 'password',
    writeOnly: true,
  })
  expect(schema.properties['CONNECTOR_FILTER_TYPES']!['default']).toEqual(['indicator'])
  expect(out).not.toContain('Zq7canary9Xv')
})

test('the same as a Markdown table, and without a file for what every connector has', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  const own = await runCli(['schema', file, '--markdown'])
  expect(own.out).toContain('| `MY_SIEM_API_KEY` | `my_siem.api_key` | a secret | yes |  |  |')
  const all = await runCli(['schema', '--markdown'])
  expect(all.out.split('\n')).toHaveLength(settingsMarkdown(defineSettings({})).split('\n').length)
})

test('writes a manifest from what is known, leaves the rest to people, and keeps what they wrote', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({
      type: 'module',
      version: '1.2.3',
      description: 'Indicators for the SIEM.',
      license: 'MIT',
      author: 'Ada <ada@example.org>',
      repository: 'git+https://github.com/acme/my-siem.git',
    }),
  )
  const first = await runCli(['schema', file, '--manifest'], {}, { cwd: folder })
  expect(first.code).toBe(0)
  expect(first.error).toBe(
    'Still to be filled in there: use_cases, solution_categories, support_version, container_image.\n',
  )
  const path = join(folder, '__metadata__', 'connector_manifest.json')
  const read = async () => JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  const manifest = await read()
  expect(manifest).toEqual({
    title: 'My SIEM',
    slug: 'my-siem',
    description: 'Indicators for the SIEM.',
    short_description: 'Indicators for the SIEM.',
    logo: null,
    use_cases: ['ChangeMe'],
    solution_categories: ['ChangeMe'],
    license_type: 'MIT',
    contact: 'ada@example.org',
    verified: false,
    last_verified_date: null,
    playbook_supported: false,
    max_confidence_level: 100,
    support_version: 'ChangeMe',
    subscription_link: null,
    source_code: 'https://github.com/acme/my-siem',
    manager_supported: false,
    container_version: '1.2.3',
    container_image: 'ChangeMe',
    container_type: 'STREAM',
  })
  await writeFile(
    path,
    JSON.stringify({ ...manifest, title: 'The SIEM', use_cases: ['Detection'], extra: 1 }),
  )
  const words = [
    'schema',
    file,
    '--manifest',
    '--json',
    '--set',
    'container_image=acme/siem',
    'verified=true',
  ]
  const second = await runCli(words, {}, { cwd: folder })
  expect(second).toMatchObject({ code: 0, error: '' })
  expect(JSON.parse(second.out)).toMatchObject({ missing: ['solution_categories', 'support_version'] })
  expect(await read()).toMatchObject({
    title: 'The SIEM',
    use_cases: ['Detection'],
    extra: 1,
    container_image: 'acme/siem',
    verified: true,
  })
})

test('wrong usage ends it with 2', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['schema', '--manifest'], /A manifest is of one connector/],
    [['schema', file, '--manifest', '--markdown'], /Choose one/],
    [['schema', file, '--set', 'title=x'], /--set is for --manifest/],
    [['schema', file, '--manifest', 'm.json', '--set', 'colour=red'], /with a field of: title, slug/],
  ]
  for (const [words, message] of cases) {
    const { code, error } = await runCli(words, {}, { cwd: folder })
    expect({ words, code, error }).toEqual({
      words,
      code: 2,
      error: expect.stringMatching(message) as string,
    })
  }
})

test('each command has help with examples and exit codes, for a terminal of 80 columns', async () => {
  const commands = [
    '',
    'check',
    'tail',
    'record',
    'play',
    'simulate',
    'dead-letters',
    'state',
    'id-map',
    'schema',
  ]
  for (const command of commands) {
    const { code, out } = await runCli([command, '--help'].filter((word) => word !== ''))
    expect({ command, code }).toEqual({ command, code: 0 })
    expect(out).toContain('Examples:\n  opencti-stream ')
    expect(out).toMatch(/Exit codes: 0 /)
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  }
})

test('--version tells the version of the package', async () => {
  expect(await runCli(['--version'])).toEqual({ code: 0, out: `${version}\n`, error: '' })
})

test('so has each command of a command', async () => {
  const commands = [
    ...['list', 'show', 'replay', 'purge', 'export'].map((name) => ['dead-letters', name]),
    ...['show', 'reset', 'set'].map((name) => ['state', name]),
    ...['export', 'import'].map((name) => ['id-map', name]),
  ]
  for (const command of commands) {
    const { code, out } = await runCli([...command, '--help'])
    expect({ command, code }).toEqual({ command, code: 0 })
    expect(out).toContain('Examples:\n  opencti-stream ')
    expect(out).toMatch(/\n\nExit codes: 0 .*\n$/)
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  }
})
