import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defineSettings, settingsMarkdown } from 'opencti-stream-connector'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { readmeConnector, readmeSettings, writeConnector } from '../fixtures/connector-files.ts'
import { runCli } from '../fixtures/run-cli.ts'
import { version } from '../../src/util/version.ts'

interface Schema {
  readonly $id: string
  readonly properties: Record<string, Record<string, unknown>>
  readonly required: string[]
}

test("prints a connector's settings as JSON Schema, with environment names as keys and no value", async () => {
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

test('prints the same as a Markdown table, and without a file the settings of every connector', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  const own = await runCli(['schema', file, '--markdown'])
  expect(own.out).toContain('| `MY_SIEM_API_KEY` | `my_siem.api_key` | a secret | yes |  |  |')
  const all = await runCli(['schema', '--markdown'])
  expect(all.out.split('\n')).toHaveLength(settingsMarkdown(defineSettings({})).split('\n').length)
})

test('writes a manifest from what it knows, leaves the rest to people, and keeps what they wrote', async () => {
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
    'Still to be filled in: use_cases, solution_categories, support_version, container_image.\n',
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
    license_type: '',
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
  await writeFile(path, JSON.stringify({ ...manifest, title: 'The SIEM', use_cases: ['Other'], extra: 1 }))
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
    use_cases: ['Other'],
    extra: 1,
    container_image: 'acme/siem',
    verified: true,
  })
})

test('reports at once what the catalog would refuse, with what was probably meant, and writes nothing', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  const path = join(folder, 'm.json')
  const words = ['schema', file, '--manifest', path, '--set']
  const cases: readonly (readonly [string, RegExp])[] = [
    ['license_type=MIT', /license_type must be one of: Free; Commercial; or empty/],
    ['license_type=free', /Did you mean "Free"\?/],
    ['use_cases=["Detection & Respons Enablement"]', /Did you mean "Detection & Response Enablement"\?/],
    ['solution_categories=["SIEM"]', /Did you mean "SIEM & Security Analytics"\?/],
    ['use_cases=[]', /use_cases must have at least one item/],
    ['container_image=Acme/SIEM:latest', /without a tag/],
    ['max_confidence_level=101', /100 or less/],
  ]
  for (const [set, message] of cases) {
    const { code, error } = await runCli([...words, set], {}, { cwd: folder })
    expect({ set, code, error }).toEqual({ set, code: 2, error: expect.stringMatching(message) as string })
  }
  expect(existsSync(path)).toBe(false)
  await writeFile(path, JSON.stringify({ use_cases: ['Detection'] }))
  expect((await runCli(words.slice(0, -1), {}, { cwd: folder })).error).toMatch(/Detection & Response/)
})

test('cuts the short description between words to what the catalog shows', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  const description = 'Indicators '.repeat(30).trim()
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', description }))
  const { out } = await runCli(['schema', file, '--manifest', '--json'], {}, { cwd: folder })
  const { manifest } = JSON.parse(out) as { manifest: Record<string, string> }
  expect(manifest['description']).toBe(description)
  expect(manifest['short_description']!.length).toBeLessThanOrEqual(200)
  expect(manifest['short_description']).toMatch(/^Indicators .* Indicators…$/)
})

test('keeps the other connectors in a catalog, and adds the logo of the manifest', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  await mkdir(join(folder, '__metadata__'))
  await writeFile(join(folder, '__metadata__', 'logo.png'), 'PNG')
  const write = (...words: string[]) => runCli(['schema', file, '--catalog', ...words], {}, { cwd: folder })
  expect(await write()).toMatchObject({
    code: 2,
    error: expect.stringContaining('container_image') as string,
  })
  const other = { slug: 'other', title: 'Other' }
  await writeFile(
    join(folder, 'catalog.json'),
    JSON.stringify({ id: 'acme', name: 'Acme', contracts: [other] }),
  )
  for (let time = 0; time < 2; time += 1) {
    expect(await write('--set', 'container_image=acme/siem')).toMatchObject({ code: 0 })
    const catalog = JSON.parse(await readFile(join(folder, 'catalog.json'), 'utf8')) as object
    expect(catalog).toMatchObject({
      id: 'acme',
      contracts: [
        other,
        {
          slug: 'my-siem',
          manager_supported: true,
          container_image: 'acme/siem',
          container_type: 'STREAM',
          use_cases: [],
          logo: `data:image/png;base64,${Buffer.from('PNG').toString('base64')}`,
          config_schema: { properties: { MY_SIEM_API_KEY: { format: 'password' } } },
        },
      ],
    })
  }
})

test('shows defaults from a function, and passes them to the platform unless they depend on other settings', async () => {
  const folder = await temporaryFolder()
  const connector = (defaults: string) => `
    import { StreamConnector, defineSettings, z } from 'opencti-stream-connector'
    const settings = defineSettings({ own: z.object({ sync_s: z.int().default(60), url: z.url() }) })
    class Own extends StreamConnector { static settings = settings; static defaults = ${defaults}
      transform(entity) { return entity } flush() {} }
    await Own.run()`
  const propertiesOf = async (defaults: string, name: string) => {
    const file = await writeConnector(folder, connector(defaults), name)
    const { out, error } = await runCli(['schema', file])
    return { properties: (JSON.parse(out) as Schema).properties, error, file }
  }
  const fixed = await propertiesOf("() => ({ name: 'Fixed', concurrency: 3 })", 'fixed.ts')
  expect(fixed.properties['CONNECTOR_CONCURRENCY']).toMatchObject({ default: 3 })
  expect(fixed.properties['CONNECTOR_NAME']).toMatchObject({ default: 'Fixed' })
  const free = await propertiesOf('({ own }) => ({ batch: { maxWaitMs: own.sync_s * 1000 } })', 'free.ts')
  const wait = free.properties['CONNECTOR_BATCH_MAX_WAIT_MS']!
  expect(wait['description']).toContain('Default: 60000, unless other settings change it.')
  expect(wait).not.toHaveProperty('default')
  expect((await runCli(['schema', free.file, '--markdown'])).out).toContain('`60000`')
  const needy = await propertiesOf('({ own }) => ({ concurrency: own.url.length })', 'needy.ts')
  expect(needy.error).toMatch(/fails without settings/)
})

test('exits with 2 for wrong usage', async () => {
  const folder = await temporaryFolder()
  const file = await writeConnector(folder, await readmeConnector())
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['schema', '--manifest'], /A manifest describes one connector/],
    [['schema', file, '--manifest', '--markdown'], /Choose one/],
    [['schema', file, '--set', 'title=x'], /--set requires --manifest or --catalog/],
    [['schema', file, '--manifest', 'm.json', '--set', 'color=red'], /Fields: title, slug/],
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

test('every command has help with examples and exit codes, for a terminal of 80 columns', async () => {
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
    'accept',
    'create',
    'examples',
  ]
  for (const command of commands) {
    const { code, out } = await runCli([command, '--help'].filter((word) => word !== ''))
    expect({ command, code }).toEqual({ command, code: 0 })
    expect(out).toContain('Examples:\n  opencti-stream ')
    expect(out).toMatch(/Exit codes: 0 /)
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  }
})

test('--version prints the version of the package', async () => {
  expect(await runCli(['--version'])).toEqual({ code: 0, out: `${version}\n`, error: '' })
})

test('every subcommand has the same help', async () => {
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
}, 120_000)
