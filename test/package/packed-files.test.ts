import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PackedPackage, run } from './packed-package.ts'

const secret = 'Zq7canary9Xv'

/** What lies about in the checkout of somebody who works, and is nobody else's business. */
const traps = [
  // As the README of the example says.
  ...['siem', 'webhook', 'jira', 'crowdstrike', 'blocklist'].map((name) => `examples/${name}/config.yml`),
  'examples/monitoring/config.yml',
  ...['config.yaml', 'config.local.yml', 'config.yml.bak', 'config.yml~', '.config.yml.swp'].map(
    (name) => `examples/siem/${name}`,
  ),
  ...['.env', '.env.local', '.env.production', 'prod.env', '.envrc', '.npmrc', '.netrc'].flatMap((name) => [
    name,
    `examples/siem/${name}`,
    `docs/${name}`,
    `dist/${name}`,
  ]),
  ...[
    'key.pem',
    'id_ed25519',
    'client.key',
    'ca.p12',
    'token.txt',
    'secrets.json',
    'secrets.ts',
    'config.js',
  ].map((name) => `examples/jira/${name}`),
  ...['state.sqlite', 'state.sqlite-wal', 'a.lock', 'dead-letters.jsonl'].flatMap((name) => [
    `state/${name}`,
    `examples/siem/state/${name}`,
    `dist/state/${name}`,
    `examples/siem/${name}`,
  ]),
  ...[
    'main.ts~',
    'main.ts.orig',
    'main.ts.bak',
    '.main.ts.swp',
    '.#main.ts',
    '#main.ts#',
    'main copy.ts',
  ].map((name) => `examples/webhook/${name}`),
  ...['delivery.md~', '.#delivery.md', '.delivery.md.swp', 'notes.md', 'delivery.md.orig'].map(
    (name) => `docs/guides/${name}`,
  ),
  'docs/reference/notes.md',
  'docs/images/dashboard.png',
  'docs/api/index.html',
  'README.md~',
  'CHANGELOG.md.orig',
  'recording.jsonl',
  'examples/siem/recording.jsonl.gz',
  'examples/siem/heap.heapsnapshot',
  'examples/siem/npm-debug.log',
  'examples/siem/node_modules/thing/package.json',
  'examples/siem/node_modules/thing/README.md',
  'examples/siem/node_modules/examples/siem/main.ts',
  'examples/siem/main.ts.d/main.ts',
  'examples/siem/Dockerfile.local',
  'examples/my-own/README.md',
  'examples/my-own/main.ts',
  'dist/.settings.js',
  'dist/page.js.d/token.js',
  'coverage/index.html',
  'src/secret.ts',
  '.vscode/settings.json',
  '.git/config',
]

let made: PackedPackage
/** Paths in the tarball, of a clean tree and of one full of traps. */
let clean: readonly string[]
let trapped: readonly string[]

beforeAll(async () => {
  made = await PackedPackage.build({ types: true })
  clean = await filesIn(await made.pack())
  for (const trap of traps) {
    await mkdir(dirname(join(made.project, trap)), { recursive: true })
    await writeFile(join(made.project, trap), secret)
  }
  trapped = await filesIn(await made.pack())
}, 120_000)

afterAll(() => made[Symbol.asyncDispose]())

test('packs nothing that was left behind in a checkout', async () => {
  expect(trapped).toEqual(clean)
  const target = await made.install()
  const { stdout } = await run('grep', ['-rlF', secret, target]).catch((error: { stdout: string }) => error)
  expect(stdout).toBe('')
})

test.each(['README.md.bak', 'LICENSE.key', 'license.pem', 'readme.txt', 'COPYING.orig', 'LICENCE'])(
  'refuses to pack beside %s, which npm would include',
  async (name) => {
    const path = join(made.project, name)
    await writeFile(path, secret)
    const failed = (await made.pack().catch((error: unknown) => error)) as { stderr: string }
    await rm(path)
    expect(failed.stderr).toContain(`${name} would be packed`)
  },
)

test('packs each entry, each example with its imports, and each page that another one links to', async () => {
  const { exports, bin } = JSON.parse(await readFile(join(made.project, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>
    bin: Record<string, string>
  }
  const wanted = new Map<string, string>()
  const entries = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? entry : Object.values(entry),
  )
  for (const path of [...entries, ...Object.values(bin)]) wanted.set(posix.normalize(path), 'package.json')
  for (const path of clean) {
    const reference = path.endsWith('.md')
      ? /\]\((?!https?:|#)([^)#\s]+)/g
      : /\.(js|cjs|ts)$/.test(path)
        ? /(?:from|import|require)\s*\(?\s*["'](\.[^"']+)["']/g
        : undefined
    if (reference === undefined) continue
    for (const [, target] of (await readFile(join(made.project, path), 'utf8')).matchAll(reference))
      wanted.set(posix.join(posix.dirname(path), target!).replace(/\/$/, ''), path)
  }
  expect(wanted.size).toBeGreaterThan(40)
  const has = (path: string) => clean.some((each) => each === path || each.startsWith(`${path}/`))
  // Declarations import each other by the names of the code.
  const isThere = (path: string) => has(path) || has(path.replace(/\.js$/, '.d.ts'))
  // The tests that back the table of faults are in the repository, as it says.
  const isTest = (path: string) => path.startsWith('test/')
  const missing = [...wanted]
    .filter(([path]) => !isTest(path) && !isThere(path))
    .map(([path, from]) => `${from}: ${path}`)
  expect(missing).toEqual([])
  expect(clean).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']))
  for (const name of ['siem', 'webhook', 'jira', 'crowdstrike', 'blocklist'])
    for (const file of [
      'README.md',
      'package.json',
      'config.yml.sample',
      'connector.ts',
      'main.ts',
      'server.ts',
    ])
      expect(clean).toContain(`examples/${name}/${file}`)
})

test('is small: no source appears twice, or outside its map', async () => {
  const seen = new Map<string, string>()
  for (const path of clean.filter((each) => each.endsWith('.map'))) {
    const map = JSON.parse(await readFile(join(made.project, path), 'utf8')) as {
      sources: string[]
      sourcesContent: (string | null)[]
    }
    for (const [index, source] of map.sources.entries()) {
      expect(map.sourcesContent[index], `${path}: ${source}`).toBeTypeOf('string')
      expect(clean, source).not.toContain(posix.join('dist', source))
      expect(seen.get(source), source).toBeUndefined()
      seen.set(source, path)
    }
  }
  expect(seen.size).toBeGreaterThan(300)
})

test('refuses to publish before its owner has filled in its addresses', async () => {
  const failed = await run(process.execPath, ['scripts/check-package.js', '--publish'], {
    cwd: made.project,
  }).catch((error: { stderr: string }) => error)
  expect(failed.stderr).toContain('"repository.url" in package.json is empty')
})

async function filesIn(tarball: string): Promise<string[]> {
  const { stdout } = await run('tar', ['-tzf', tarball])
  return stdout
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''))
    .toSorted()
}
