import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { type Example } from './example.ts'

const run = promisify(execFile)

/** Where the Python packages are. */
const python = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'opencti-stream-connector',
  'python',
)

const programs = join(python, 'bin')

/** The environment in which the test of an example finds what {@link installNeeds} has installed. */
export function environmentWithNeeds(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${programs}${delimiter}${process.env['PATH']}` }
}

/**
 * Installs what an example needs and does not have, and says so.
 *
 * @throws Error if that cannot be done.
 */
export function installNeeds(example: Example): Promise<void> {
  // One after the other, whether the one before has worked or not.
  const installed = installing.then(() => install(example))
  installing = installed.catch(() => {})
  return installed
}

async function install({ debian = [], pypi = [], install: program, folder }: Example): Promise<void> {
  await installDebian(pypi.length > 0 ? [...debian, 'python3-venv'] : debian)
  await installPython(pypi)
  if (program !== undefined) await must(join(folder, program), [], { cwd: folder })
}

/** The versions of what was installed for an example: `postgresql 17+278`. */
export async function installedVersion({
  debian: [debian] = [],
  pypi: [pypi] = [],
}: Example): Promise<string> {
  if (pypi !== undefined) return pypi.replace('==', ' ')
  if (debian === undefined) return ''
  return `${debian} ${(await debianVersion(debian)) ?? ''}`
}

async function debianVersion(name: string): Promise<string | undefined> {
  const format = '${db:Status-Status} ${Version}'
  const { stdout } = await run('dpkg-query', ['-W', '-f', format, name]).catch(() => ({ stdout: '' }))
  const [status, version] = stdout.split(' ')
  return status === 'installed' ? version : undefined
}

let isListFresh = false
let installing: Promise<void> = Promise.resolve()

async function installDebian(names: readonly string[]): Promise<void> {
  const versions = await Promise.all(names.map((name) => debianVersion(name)))
  const missing = names.filter((_, index) => versions[index] === undefined)
  if (missing.length === 0) return
  console.log(`Installing ${missing.join(' ')} with apt-get`)
  if (!isListFresh) await apt('update').catch((error: Error) => console.log(`${error.message}; going on`))
  isListFresh = true
  await apt('install', '-y', '--no-install-recommends', ...missing)
}

/** RUNLEVEL=1 keeps Debian's packages from starting a service. */
async function apt(...words: readonly string[]): Promise<void> {
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const settings = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1']
  const patience = ['-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=300']
  const [program, ...rest] = [...asRoot, 'env', ...settings, 'apt-get', '-qq', ...patience, ...words]
  await must(program!, rest)
}

async function installPython(requirements: readonly string[]): Promise<void> {
  if (requirements.length === 0) return
  const pip = join(programs, 'pip')
  if (!existsSync(pip)) {
    await mkdir(python, { recursive: true })
    await must('python3', ['-m', 'venv', python])
  }
  // It does nothing, and asks nobody, if they are there in this version.
  await must(pip, ['install', '--quiet', '--disable-pip-version-check', ...requirements])
}

/** Runs a program, and shows what it says only if it fails. */
async function must(
  program: string,
  words: readonly string[],
  options: { cwd?: string } = {},
): Promise<void> {
  const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${[program, ...words].join(' ')} failed:\n${said.trimEnd()}`)
}
