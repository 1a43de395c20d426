import { Command } from 'commander'
import { storedValues } from '../checkpoint/stored-values.ts'
import { readSnapshotRecord, type SnapshotRecord } from '../snapshots/snapshot-record.ts'
import { nameOf } from '../snapshots/snapshots.ts'
import { type StateStore } from '../store/state-store.ts'
import { writeJson, writeLine } from './output.ts'
import { exitCodeHelp } from './run-command-line.ts'
import { addStateOptions, withState, type StateOptions } from './state-access.ts'

interface AllowOptions extends StateOptions {
  readonly route?: string | undefined
}

const examples = `
Examples:
  opencti-stream snapshot show
  opencti-stream snapshot allow
`

/** Maximum number of routes for which to read lists. */
const maxRoutes = 1000

/**
 * The `snapshot` command: shows the lists of a target that only accepts whole lists, and allows a much
 * shorter one.
 *
 * @example
 * ```sh
 * opencti-stream snapshot allow --state-dir /var/lib/my-connector
 * ```
 */
export function snapshotCommand(): Command {
  const command = new Command('snapshot').description(
    'Show the lists of a target that only accepts whole lists, or allow a shorter one.',
  )
  const add = (usage: string, description: string) =>
    addStateOptions(command.command(usage).description(description)).addHelpText(
      'after',
      examples + exitCodeHelp,
    )
  add('show', "Show the target's lists, and whether they are up to date.").action((options: StateOptions) =>
    show(options),
  )
  add('allow', 'Allow the next list to be much shorter, once. Works while the connector runs.')
    .option('--route <name>', 'allow it for this route; omit it if the connector has no routes')
    .action((options: AllowOptions) => allow(options))
  return command.addHelpText('after', examples + exitCodeHelp)
}

function show(options: StateOptions): Promise<void> {
  return withState(options, 'read-only', async (store) => {
    const records = await recordsIn(store)
    if (options.json !== true && records.size === 0) await writeLine('The target has no list yet.')
    for (const [route, record] of records) {
      if (options.json === true) await writeJson({ route, ...record })
      else await writeLine(`${route === undefined ? '' : `${route}: `}${describe(record)}`)
    }
  })
}

function allow({ route, ...options }: AllowOptions): Promise<void> {
  return withState(options, 'shared', async (store) => {
    if (!(await recordsIn(store)).has(route)) {
      throw new Error(
        route === undefined
          ? 'The target has no list yet, so there is nothing to allow. If the connector has routes, name one with --route.'
          : `The target has no list for route ${route}. See "opencti-stream snapshot show".`,
      )
    }
    await store.commit({
      values: new Map([[nameOf(storedValues.snapshotConsent, route), 'yes']]),
      durable: true,
    })
    if (options.json === true) await writeJson({ allowed: route ?? true })
    else await writeLine('Allowed. A running connector sends the shorter list within a second.')
  })
}

async function recordsIn(store: StateStore): Promise<ReadonlyMap<string | undefined, SnapshotRecord>> {
  const records = new Map<string | undefined, SnapshotRecord>()
  const own = await store.value(storedValues.snapshot)
  if (own !== undefined) records.set(undefined, readSnapshotRecord(own))
  const prefix = nameOf(storedValues.snapshot, '')
  for (const [name, text] of await store.values({ prefix, limit: maxRoutes }))
    records.set(name.slice(prefix.length), readSnapshotRecord(text))
  return records
}

function describe({ count, takenAtMs, isDirty, job }: SnapshotRecord): string {
  const has =
    takenAtMs === undefined
      ? 'no list yet'
      : `${count} items, taken ${new Date(takenAtMs).toISOString().replace(/\.\d+Z$/, 'Z')}`
  if (job !== undefined)
    return `${has}. The target is processing a new list of ${job.count} items (job ${job.id})`
  return isDirty ? `${has}. Changed since` : `${has}. Up to date`
}
