import { Command, InvalidArgumentError } from 'commander'
import { MemoryStore } from '../store/memory-store.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { routesNotKnown } from '../settings/reading/changed-routes.ts'
import { defineSettings } from '../settings/schemas/define-settings.ts'
import { requireListAccess } from '../observe/http/list-access.ts'
import { areServed, type ConnectorList } from '../snapshots/list-files.ts'
import { futureStart } from '../settings/reading/future-start.ts'
import { loadSettings } from '../settings/reading/load-settings.ts'
import { settingsHint } from '../connector/settings-hint.ts'
import { namedDefaults } from '../settings/reading/resolve-defaults.ts'
import { chooseStateFolder } from '../store/state-folder.ts'
import { systemClock } from '../util/clock.ts'
import { silentLogger } from '../util/logger.ts'
import { Redactor } from '../util/redactor.ts'
import { type BuiltInSettings, checkPlatform, platformChecks } from './check-platform.ts'
import { type CheckResult, failed, ok, skipped } from './check-result.ts'
import { checkState, checkStateAt, stateCheck } from './check-state.ts'
import { checkTarget, targetCheck } from './check-target.ts'
import { checkText, checkVerdict } from './check-text.ts'
import { type AnyConnector, loadConnector, type LoadedConnector } from '../connector/load-connector.ts'
import { onInterrupt } from './interrupt.ts'
import { writeJson, writeLine } from './output.ts'
import { CommandFailed, exitCode, exitCodesHelp, isOfSettings } from './run-command-line.ts'
import { settingsFolder } from './settings-folder.ts'

const help = `
Examples:
  opencti-stream check               common settings, platform, state
  opencti-stream check src/main.ts   its own settings and its target too

Name the connector file: TypeScript (Node 22.18 or newer) or JavaScript. The
command imports it without running it, even if it ends in
"await SiemConnector.run()". Settings come from the environment and from
config.yml or .env next to the file. Nothing is registered, sent, or written.
`

/**
 * The `check` command: verifies everything a connector needs before it starts.
 *
 * @example
 * ```sh
 * opencti-stream check src/main.ts
 * ```
 */
export function checkCommand(): Command {
  return new Command('check')
    .description(
      'Check everything a connector needs: settings, platform, stream, permissions, state, target.',
    )
    .argument('[module]', 'file that contains the connector')
    .option('--timeout <seconds>', 'timeout for the target', seconds, 30)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      help + exitCodesHelp('0 all checks passed, 1 a check failed, 2 wrong settings or usage.'),
    )
    .action((file: string | undefined, options: CheckOptions) => check(file, options))
}

async function check(file: string | undefined, options: CheckOptions): Promise<void> {
  const isJson = options.json === true
  const loaded = file === undefined ? undefined : await loadConnector(file)
  const results: CheckResult[] = []
  for await (const result of resultsOf(loaded, options.timeout * 1000)) {
    results.push(result)
    if (!isJson) await writeLine(checkText(result))
  }
  const isWell = results.every(({ status }) => status !== 'failed')
  if (isJson) await writeJson({ ok: isWell, checks: results })
  else await writeLine(`\n${checkVerdict(results)}`)
  if (isWell) return
  const isUsage = results.some(({ status, code }) => status === 'failed' && isOfSettings(code))
  throw new CommandFailed(isUsage ? exitCode.wrongUsage : exitCode.failed)
}

interface CheckOptions {
  readonly timeout: number
  readonly json?: boolean | undefined
}

async function* resultsOf(loaded: LoadedConnector | undefined, limitMs: number): AsyncGenerator<CheckResult> {
  let settings: BuiltInSettings
  let connector: AnyConnector | undefined
  let nearMisses: readonly string[]
  const directory = settingsFolder(loaded?.path)
  const redactor = new Redactor()
  try {
    if (loaded === undefined) {
      const read = loadSettings(defineSettings({}), {
        directory,
        defaults: { name: 'connector', routes: routesNotKnown },
      })
      settings = read.settings
      nearMisses = [...read.nearMisses, ...read.deadFilters]
      for (const secret of read.secrets) redactor.add(secret)
    } else {
      connector = new loaded.connector({ directory, store: new MemoryStore(), logger: silentLogger })
      settings = connector.settings
      requireReaders(connector)
      const { settings: definition, defaults } = loaded.connector
      nearMisses = loaded.tools.nearMisses(definition, {
        directory,
        defaults: namedDefaults(loaded.connector.name, defaults),
      })
    }
  } catch (error) {
    yield settingsFailure(error, loaded)
    for (const name of [...platformChecks, stateCheck, targetCheck])
      yield skipped(name, 'fix the settings first')
    return
  }
  const { name, id } = settings.connector
  const good = loaded === undefined ? 'the common settings are valid' : `the settings of "${name}" are valid`
  const future = futureStart(settings.connector, systemClock.now())
  yield ok('Settings', [good, ...nearMisses, ...(future === undefined ? [] : [future])].join('\n'))
  // A platform or proxy may echo what it was sent.
  const clean = (result: CheckResult) => {
    const { message } = result
    const cleaned =
      connector === undefined ? redactor.clean(message) : loaded!.tools.clean(connector, message)
    return { ...result, message: cleaned }
  }
  using interrupt = onInterrupt()
  for await (const result of checkPlatform(settings, systemClock, interrupt.signal)) yield clean(result)
  const { cluster_url: clusterUrl, state_dir: named } = settings.connector
  const stateUrl = clusterUrl ?? settings.connector.state_url
  yield stateUrl === undefined
    ? await checkState(chooseStateFolder({ named, connectorId: id }), id)
    : clean(await checkStateAt(stateUrl.reveal(), id))
  if (loaded === undefined || connector === undefined) {
    yield skipped(targetCheck, 'name the connector file to check it')
  } else yield clean(await checkTarget(connector, systemClock, limitMs))
}

/** @throws StreamConnectorError `SETTINGS_INVALID` if nobody could fetch the connector's lists, or everybody. */
function requireReaders({ constructor, delivery: { health }, settings }: AnyConnector): void {
  const { lists = {} } = constructor as { lists?: Readonly<Record<string, ConnectorList>> }
  if (areServed(lists, health.port !== undefined))
    requireListAccess({ ...health, token: settings.connector.list_token })
}

/**
 * Settings problems, one per line. Anything else the author's class throws during construction is reported as
 * is.
 */
function settingsFailure(error: unknown, loaded: LoadedConnector | undefined): CheckResult {
  const failure = failed('Settings', error)
  if (isStreamConnectorError(error) && error.code === 'SETTINGS_INVALID') {
    // describeError() makes one line of it.
    const [, ...problems] = error.message.split('\n  - ')
    if (problems.length > 0) return { ...failure, message: problems.join('\n') }
  }
  if (error instanceof TypeError && loaded !== undefined) {
    const hint = settingsHint(loaded.connector)
    if (hint !== undefined) return { ...failure, message: `${failure.message}\n${hint}` }
  }
  return failure
}

function seconds(text: string): number {
  const number = Number(text)
  if (!(number > 0 && number <= 3600))
    throw new InvalidArgumentError('Must be a number of seconds, up to 3600.')
  return number
}
