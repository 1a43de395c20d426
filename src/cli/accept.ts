import { Command, InvalidArgumentError } from 'commander'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type AcceptancePlan } from '../testing/acceptance/acceptance-plan.ts'
import { type AcceptedTarget, type TargetAddress } from '../testing/acceptance/acceptance-options.ts'
import { systemClock } from '../util/clock.ts'
import { loadConnector, ModuleError } from '../connector/load-connector.ts'
import { onInterrupt } from './interrupt.ts'
import { counted, note, printable, writeJson, writeLine } from './output.ts'
import { paintFor } from './paint.ts'
import { CommandFailed, exitCodesHelp } from './run-command-line.ts'
import { startTarget, type StartedTarget } from './start-target.ts'
import { wholeNumberFrom } from './whole-number.ts'

const help = `
Examples:
  opencti-stream accept connector.ts
  opencti-stream accept connector.ts --target siem.ts --kills 200
  opencti-stream accept connector.ts --only "lost answers"

The file of the target exports a function whose name begins with "start". Its
result has: env, the settings of a connector to it; url, its address, if it has
one; read(), what it holds now, by key; reset(), which empties it.
`

/**
 * The `accept` command: proves that a connector and its target get along, without a test runner.
 *
 * @example
 * ```sh
 * opencti-stream accept connector.ts
 * ```
 */
export function acceptCommand(): Command {
  return new Command('accept')
    .description('Prove that a connector and its target get along, whatever happens. Empties the target.')
    .argument('<module>', 'file that contains the connector; file#Name names an export')
    .option('--target <file>', 'file that starts the target; default: server.ts or .js beside the module')
    .option('--size <number>', 'number of entities at the start of each trial', wholeNumberFrom(1), 40)
    .option('--kills <number>', 'how often the connector is killed', wholeNumberFrom(1), 4)
    .option('--seed <number>', 'seed to repeat a failure; default: random', wholeNumberFrom(0))
    .option('--only <words>', 'try only promises whose name contains these words')
    .option('--json', 'print one JSON object')
    .addHelpText('after', help + exitCodesHelp('0 all promises tried are kept, 1 one is not, 2 wrong usage.'))
    .action((file: string, options: AcceptOptions) => accept(file, options))
}

interface AcceptOptions {
  readonly target?: string | undefined
  readonly size: number
  readonly kills: number
  readonly seed?: number | undefined
  readonly only?: string | undefined
  readonly json?: boolean | undefined
}

/** How the trial of one promise ended. */
interface Row {
  readonly name: string
  readonly status: 'kept' | 'broken' | 'not-tried'
  readonly message?: string | undefined
  readonly durationMs: number
}

async function accept(file: string, options: AcceptOptions): Promise<void> {
  const [path = '', name] = file.split('#')
  // Says what is wrong with the file.
  await loadConnector(path, name)
  const connector = pathToFileURL(resolve(path))
  if (name !== undefined) connector.hash = name
  const targetFile = options.target ?? join(dirname(path), `server${extname(path)}`)
  await using target = acceptable(await startTarget(targetFile), targetFile)
  // Imported on demand: the other commands need neither it nor GraphQL.
  const { AcceptancePlan } = await import('../testing/acceptance/acceptance-plan.ts')
  const plan = new AcceptancePlan({
    ...options,
    connector,
    env: target.env,
    target: {
      address: addressOf(target),
      read: () => target.read(),
      reset: () => target.reset(),
      ...(target.history !== undefined && { history: () => target.history!() }),
    },
  })
  const chosen = plan.promises.filter(({ name }) => name.includes(options.only ?? ''))
  if (chosen.length === 0)
    throw new InvalidArgumentError(`No promise contains "${options.only}" in its name.`)
  using interrupt = onInterrupt()
  const rows: Row[] = []
  for (const promise of chosen) {
    if (interrupt.signal.aborted) throw new CommandFailed()
    const row = await tryPromise(plan, promise)
    rows.push(row)
    if (options.json !== true) await writeLine(textOf(row))
  }
  const broken = rows.filter(({ status }) => status === 'broken').length
  if (options.json === true) await writeJson({ ok: broken === 0, seed: plan.seed, promises: rows })
  else await writeLine(`\n${verdictOn(rows)}`)
  if (broken > 0) throw new CommandFailed()
}

type AcceptableTarget = StartedTarget & AcceptedTarget & { readonly url?: string | undefined }

function acceptable(target: StartedTarget, file: string): AcceptableTarget {
  const { read, reset } = target as Partial<AcceptableTarget>
  if (typeof read === 'function' && typeof reset === 'function') return target as AcceptableTarget
  throw new ModuleError(
    `What ${file} starts cannot be read and emptied: it needs the methods read() and reset().`,
  )
}

/** Its own word, or the setting in its environment that names its address. */
function addressOf({ address, url, env }: AcceptableTarget): AcceptedTarget['address'] {
  if (address !== undefined) return address
  if (url === undefined) return undefined
  const setting = Object.keys(env).find((name) => env[name] === url)
  if (setting === undefined) {
    note('No setting in the env of the target is its url: it is tried without a proxy.')
    return undefined
  }
  return { setting, url } satisfies TargetAddress
}

async function tryPromise(plan: AcceptancePlan, promise: AcceptancePlan['promises'][number]): Promise<Row> {
  const { name } = promise
  const begunMs = systemClock.monotonic()
  const row = (status: Row['status'], message?: string): Row => ({
    name,
    status,
    message,
    durationMs: Math.round(systemClock.monotonic() - begunMs),
  })
  try {
    const verdict = await plan.try(promise)
    return verdict.isTried ? row('kept', verdict.note) : row('not-tried', verdict.why)
  } catch (error) {
    return row('broken', error instanceof Error ? error.message : String(error))
  }
}

const signs = { kept: ['green', '✔'], broken: ['red', '✖'], 'not-tried': ['dim', '–'] } as const

function textOf({ name, status, message, durationMs }: Row): string {
  const paint = paintFor()
  const [look, sign] = signs[status]
  const title = `  ${paint(look, sign)} ${name}`
  if (status === 'not-tried') return `${title}: not tried, ${message}`
  const lines = printable(message ?? '', true)
    .split('\n')
    .filter((line) => line !== '')
  return [
    `${title}  ${paint('dim', `${(durationMs / 1000).toFixed(1)} s`)}`,
    ...lines.map((line) => `      ${line}`),
  ].join('\n')
}

function verdictOn(rows: readonly Row[]): string {
  const paint = paintFor()
  const count = (status: Row['status']) => rows.filter((row) => row.status === status).length
  const broken = count('broken')
  const left = count('not-tried')
  const untried = left === 0 ? '' : ` ${counted(left, 'promise')} could not be tried.`
  return broken === 0
    ? `${paint('green', `${counted(count('kept'), 'promise')} kept.`)}${untried}`
    : `${paint('red', `${counted(broken, 'promise')} broken.`)}${untried}`
}
