import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { StateError } from '../errors/state-error.ts'
import { textOf } from '../settings/sources/raw-value.ts'
import { fieldsOf } from '../settings/schemas/setting-field.ts'
import { defineSettings } from '../settings/schemas/define-settings.ts'
import { readSources, writtenOf } from '../settings/sources/setting-sources.ts'
import { openDatabase } from '../store/sqlite-lock.ts'
import { SqliteStore, type SqliteStoreOptions } from '../store/sqlite-store.ts'
import { storeAtUrl } from '../connector/store-at-url.ts'
import { chooseStateFolder, defaultStateFolder } from '../store/state-folder.ts'
import { type StateStore, type StateWait } from '../store/state-store.ts'
import { settingsFolder } from './settings-folder.ts'

/** Options of every command that uses a connector's state. */
export interface StateOptions {
  readonly stateDir?: string | undefined
  /** Wins over the folder, as in a connector, unless the folder is named on the command line. */
  readonly stateUrl?: string | undefined
  readonly connectorId?: string | undefined
  readonly json?: boolean | undefined
}

/** Adds the options of {@link StateOptions} to a command. */
export function addStateOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--state-dir <folder>',
        'folder of the state file; default: from config.yml or .env here, or ./state',
      ).env('CONNECTOR_STATE_DIR'),
    )
    .addOption(
      new Option(
        '--state-url <address>',
        'database with the state, instead of a folder; others may see the password here, so better set the variable',
      ).env('CONNECTOR_STATE_URL'),
    )
    .hook('preAction', (_, action) => {
      if (action.getOptionValueSource('stateDir') === 'cli') action.setOptionValue('stateUrl', undefined)
      // Copies that share the work have their state where their cluster is.
      else if (!action.getOptionValue('stateUrl'))
        action.setOptionValue('stateUrl', process.env['CONNECTOR_CLUSTER_URL'])
    })
    .addOption(
      new Option('--connector-id <id>', 'connector id; not needed if the folder has one state file').env(
        'CONNECTOR_ID',
      ),
    )
    .option('--json', 'print JSON, one object per line')
}

/**
 * Finds the state through the options and the environment, or else through `config.yml` or `.env` in the
 * working directory, as a connector started there would.
 */
export function locateState({ stateDir, stateUrl, connectorId }: StateOptions): LocatedState {
  // Compose files use an empty variable for "not set".
  const id = connectorId?.trim() || undefined
  if (stateUrl?.trim()) return { stateUrl: stateUrl.trim(), connectorId: id ?? writtenHere('id') }
  const at = (named: string, connectorId: string | undefined) => ({
    stateDir: chooseStateFolder({ named, connectorId }).path,
    connectorId,
  })
  if (stateDir?.trim()) return at(stateDir, id)
  const url = writtenHere('state_url') ?? writtenHere('cluster_url')
  if (url) return { stateUrl: url, connectorId: id ?? writtenHere('id') }
  return at(writtenHere('state_dir') ?? defaultStateFolder, id ?? writtenHere('id'))
}

/** A state in a folder, or in a database. */
export interface LocatedState {
  readonly stateDir?: string | undefined
  readonly stateUrl?: string | undefined
  readonly connectorId?: string | undefined
}

/** A setting of the `connector` section in `config.yml` or `.env` here. */
function writtenHere(name: string): string | undefined {
  const sources = readSources({ env: {}, directory: settingsFolder() })
  const fields = fieldsOf(defineSettings({}))
  const field = fields.find(({ section, field: own }) => section === 'connector' && own === name)!
  return textOf(writtenOf(sources, field)?.raw)?.trim()
}

/**
 * Runs work on a connector's state, and closes it.
 *
 * @throws StateError if the state does not exist, cannot be opened, or is held by another process.
 */
export async function withState<T>(
  options: StateOptions,
  access: NonNullable<SqliteStoreOptions['access']>,
  work: (store: StateStore, connectorId: string) => Promise<T>,
): Promise<T> {
  const { stateDir = defaultStateFolder, stateUrl, ...located } = locateState(options)
  const connectorId =
    located.connectorId ?? (stateUrl === undefined ? onlyConnectorIn(stateDir) : idMissing())
  if (stateUrl === undefined && !existsSync(stateDir)) throw noFolder(stateDir)
  const store =
    stateUrl === undefined
      ? new SqliteStore({ directory: stateDir, connectorId, access })
      : storeAtUrl(stateUrl, { access })
  await openNow(store, connectorId)
  try {
    return await work(store, connectorId)
  } finally {
    await store.close()
  }
}

/** Opens a state, or says who has it: a command does not wait for its turn. */
async function openNow(store: StateStore, connectorId: string): Promise<void> {
  const given = new AbortController()
  const onWait = (wait: StateWait) =>
    given.abort(
      wait.for === 'server'
        ? wait.error
        : new StateError(
            'STATE_LOCKED',
            `The connector is running, and ${wait.holder} leads. Stop all of its copies first.`,
          ),
    )
  await store.open(connectorId, { signal: given.signal, onWait })
}

function idMissing(): never {
  throw new StateError(
    'STATE_UNREADABLE',
    'A database can hold the states of many connectors. Name one with --connector-id or CONNECTOR_ID.',
  )
}

/** Id of the only state file in a folder. */
function onlyConnectorIn(folder: string): string {
  let files: string[]
  try {
    files = readdirSync(folder).filter((name) => name.endsWith('.sqlite'))
  } catch (error) {
    throw noFolder(folder, error)
  }
  const [file] = files
  if (file === undefined) {
    throw new StateError(
      'STATE_UNREADABLE',
      `There is no state file in ${folder}. Pass the connector's state folder with --state-dir. The connector creates the file at its first start.`,
    )
  }
  if (files.length > 1) {
    throw new StateError(
      'STATE_UNREADABLE',
      `There are ${files.length} state files in ${folder}: ${files.toSorted().join(', ')}. Name one connector with --connector-id.`,
    )
  }
  return ownerOf(join(folder, file)) ?? file.slice(0, -'.sqlite'.length)
}

/** The file contains its owner: ids that cannot be file names are encoded in the name. */
function ownerOf(path: string): string | undefined {
  try {
    const database = openDatabase(path, { readOnly: true })
    try {
      return database.prepare("SELECT value FROM meta WHERE name = 'owner'").get()?.['value'] as
        string | undefined
    } finally {
      database.close()
    }
  } catch {
    // Opening the state explains what is wrong.
    return undefined
  }
}

function noFolder(folder: string, cause?: unknown): StateError {
  return new StateError(
    'STATE_UNREADABLE',
    `The state folder ${folder} does not exist. Name it with --state-dir or CONNECTOR_STATE_DIR.`,
    { cause },
  )
}
