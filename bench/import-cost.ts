import { spawnSync } from 'node:child_process'

/** What a process of Node has cost at one moment. */
export interface ImportCost {
  /** From before the import until after it, and what the process took of the CPU from its start. */
  readonly importMs: number
  readonly cpuMs: number
  readonly residentMb: number
}

const program = `
const [entry] = process.argv.slice(1)
const startMs = performance.now()
if (entry !== undefined) await import(entry)
const importMs = performance.now() - startMs
const { user, system } = process.cpuUsage()
console.log(JSON.stringify({ importMs, cpuMs: (user + system) / 1000, residentMb: process.memoryUsage.rss() / 1e6 }))
`

/** The cost of a fresh process that imports `entry`, or nothing. */
export function importCost(entry?: string): ImportCost {
  const parameters = ['--input-type=module', '-e', program, ...(entry === undefined ? [] : [entry])]
  const { status, stdout, stderr } = spawnSync(process.execPath, parameters, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`The import of ${entry ?? 'nothing'} failed.\n${stderr}`)
  return JSON.parse(stdout) as ImportCost
}
