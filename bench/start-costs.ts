import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { benchEnvironment } from './bench-environment.ts'
import { median } from './table.ts'

/** Costs of a Node process so far. */
export interface StartCost {
  readonly name: string
  /** Since the start of the process. */
  readonly ms: number
  readonly cpuMs: number
  readonly residentMb: number
}

const report = `
const { user, system } = process.cpuUsage()
console.log(JSON.stringify({ ms: performance.now(), cpuMs: (user + system) / 1000, residentMb: process.memoryUsage.rss() / 1e6 }))
`

const root = fileURLToPath(new URL('..', import.meta.url))

/** A connector that ends with its first event. In JavaScript, because stripping types would cost more than the connector. */
const connectorProgram = (env: Readonly<Record<string, string>>) => `
const { StreamConnector, silentLogger } = await import('opencti-stream-connector')
class First extends StreamConnector {
  transform(entity) { return entity }
  create() { ${report} process.exit() }
}
const env = ${JSON.stringify(env)}
await new First({ logger: silentLogger, directory: env.CONNECTOR_STATE_DIR, env }).start()
`

/** Costs of processes that do nothing, that import a part of the package, and that received their first event. */
export function startCosts(url: string, stream: string, rounds: number): readonly StartCost[] {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const firstEvent = connectorProgram(benchEnvironment(url, stream, directory))
  const importing = `await import('opencti-stream-connector')\n${report}`
  // As in an image, see the deployment guide.
  const cached = { NODE_COMPILE_CACHE: join(directory, 'compiled') }
  const programs: readonly (readonly [string, string, object?])[] = [
    ['empty Node', report],
    ['import of the package/stix', `await import('opencti-stream-connector/stix')\n${report}`],
    ['import of the package', importing],
    ['the same with NODE_COMPILE_CACHE', importing, cached],
    ['first event at its hook', firstEvent],
    ['the same with NODE_COMPILE_CACHE', firstEvent, cached],
  ]
  const runs = programs.map(() => [] as Omit<StartCost, 'name'>[])
  for (let round = 0; round < rounds; round++) {
    for (const [index, [name, program, more]] of programs.entries()) {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        encoding: 'utf8',
        cwd: root,
        env: { ...process.env, ...more },
      })
      if (status !== 0) throw new Error(`The start "${name}" failed.\n${stderr}`)
      runs[index]!.push(JSON.parse(stdout) as Omit<StartCost, 'name'>)
    }
  }
  rmSync(directory, { recursive: true })
  return programs.map(([name], index) => ({
    name,
    ms: median(runs[index]!.map(({ ms }) => ms)),
    cpuMs: median(runs[index]!.map(({ cpuMs }) => cpuMs)),
    residentMb: median(runs[index]!.map(({ residentMb }) => residentMb)),
  }))
}
