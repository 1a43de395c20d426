import { access, constants, stat, unlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { dirname, join, resolve } from 'node:path'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { storeAtUrl } from '../connector/store-at-url.ts'
import { SqliteLock } from '../store/sqlite-lock.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import { lockFileOf, stateFileOf } from '../store/state-file.ts'
import { type StateFolder } from '../store/state-folder.ts'
import { stateFolderNote } from '../store/state-folder-note.ts'
import { type CheckResult, failed, ok, warning } from './check-result.ts'
import { counted } from './output.ts'

/** Name of {@link checkState}. */
export const stateCheck = 'State'

/**
 * Checks that the state folder is writable and no other connector is using the state. Changes nothing, and does
 * not create a missing folder. A folder that looks temporary is a warning.
 */
export async function checkState(chosen: StateFolder, connectorId: string): Promise<CheckResult> {
  const result = await look(resolve(chosen.path), connectorId)
  const note = stateFolderNote(chosen)
  return result.status !== 'ok' || note === undefined
    ? result
    : warning(stateCheck, `${result.message}. ${note.message}`)
}

/**
 * Checks that the database with the state answers, that its user may write, and says which copy leads. Changes
 * nothing.
 */
export async function checkStateAt(url: string, connectorId: string): Promise<CheckResult> {
  try {
    const found = await storeAtUrl(url, { access: 'read-only' }).examine!(connectorId)
    const { place, exists, leader, missingRight, deadLetters, warnings = [] } = found
    const note = warnings
      .map((warning) => `. ${warning}`)
      .join('')
      .replace(/\.$/, '')
    if (missingRight !== undefined) {
      return notUsable(`${place} answers, but the user lacks a right: ${missingRight}. Grant it.`)
    }
    if (!exists)
      return ok(stateCheck, `${place} answers, and does not contain a state of this connector yet${note}`)
    const leads = leader === undefined ? 'no copy of the connector leads now' : `${leader} leads`
    return ok(stateCheck, `${place} answers, and ${leads}${review(deadLetters)}${note}`)
  } catch (error) {
    return failed(stateCheck, error)
  }
}

function review(letters: number): string {
  return letters === 0 ? '' : `; ${counted(letters, 'dead letter')} to review (dead-letters list)`
}

async function look(folder: string, connectorId: string): Promise<CheckResult> {
  try {
    if (!existsSync(folder)) return await whereItWouldBe(folder)
    if (!(await stat(folder)).isDirectory()) {
      return notUsable(`${folder} is not a folder. Set CONNECTOR_STATE_DIR to a folder.`)
    }
    await tryToWrite(folder)
  } catch (error) {
    return notUsable(
      `${folder} is not writable (${codeOf(error)}). Make the connector's user its owner, or set CONNECTOR_STATE_DIR to another folder.`,
    )
  }
  const file = stateFileOf({ directory: folder, connectorId })
  if (!existsSync(file))
    return ok(stateCheck, `${folder} is writable and does not contain a state of this connector yet`)
  try {
    const lock = lockFileOf(file)
    if (existsSync(lock)) SqliteLock.acquire(lock).release()
    const store = new SqliteStore({ directory: folder, connectorId, access: 'read-only' })
    await store.open(connectorId)
    const letters = await store.countDeadLetters().finally(() => store.close())
    return ok(
      stateCheck,
      `${folder} is writable, and no other connector is using the state${review(letters)}`,
    )
  } catch (error) {
    if (isStreamConnectorError(error) && error.code === 'STATE_LOCKED') {
      return failed(
        stateCheck,
        'A running connector is using the state of this connector id. That is normal while it runs. To start another one, stop this one first, or give each its own CONNECTOR_ID.',
        error.code,
      )
    }
    return failed(stateCheck, error)
  }
}

async function whereItWouldBe(folder: string): Promise<CheckResult> {
  let parent = dirname(folder)
  while (!existsSync(parent)) parent = dirname(parent)
  try {
    await access(parent, constants.W_OK | constants.X_OK)
    return ok(stateCheck, `${folder} does not exist yet and can be created`)
  } catch (error) {
    return notUsable(
      `${folder} does not exist and cannot be created in ${parent} (${codeOf(error)}). Create it for the connector's user, or set CONNECTOR_STATE_DIR to another folder.`,
    )
  }
}

/** Permissions are not enough: the disk can be full or mounted read-only. */
async function tryToWrite(folder: string): Promise<void> {
  const path = join(folder, `.check-${randomUUID()}`)
  await writeFile(path, 'x', { mode: 0o600, flag: 'wx' })
  await unlink(path)
}

function notUsable(message: string): CheckResult {
  return failed(stateCheck, message, 'STATE_UNREADABLE')
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : 'no reason given'
}
