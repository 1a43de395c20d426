import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** Path of a connector's state file. */
export function stateFileOf({
  directory,
  connectorId,
}: {
  readonly directory: string
  readonly connectorId: string
}): string {
  return join(directory, `${fileNameOf(connectorId)}.sqlite`)
}

/** Path of the lock file of a state file. */
export function lockFileOf(stateFile: string): string {
  return stateFile.replace(/\.sqlite$/, '.lock')
}

/**
 * The id if it is a valid file name everywhere, like a UUID; otherwise its valid part plus a hash that keeps
 * ids apart.
 */
function fileNameOf(connectorId: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(connectorId)) return connectorId
  const hash = createHash('sha256').update(connectorId).digest('hex').slice(0, 12)
  return `${connectorId.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 80)}-${hash}`
}
