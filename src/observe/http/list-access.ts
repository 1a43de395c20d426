import { isIPv4 } from 'node:net'
import { StreamConnectorError } from '../../errors/stream-connector-error.ts'
import { type Secret } from '../../util/secret.ts'

/** Where lists are served, and who may fetch them. */
export interface ListAccess {
  /** The address the server listens on. */
  readonly host: string
  readonly port?: number | undefined
  /** Optional if only this machine can connect. */
  readonly token: Secret | undefined
}

/** @throws StreamConnectorError `SETTINGS_INVALID` if lists could not be served, or would be open to everyone. */
export function requireListAccess({ host, port, token }: ListAccess): void {
  if (port === undefined)
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'CONNECTOR_HEALTH_PORT (connector.health_port) is not set, but this connector serves lists on that port. Set it.',
    )
  if (isOpen(token) && !isLoopback(host))
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'CONNECTOR_LIST_TOKEN (connector.list_token) is not set, so anyone who can reach CONNECTOR_HEALTH_HOST could read the lists. Set it to a long random token, or set CONNECTOR_HEALTH_HOST to 127.0.0.1.',
    )
}

/** Whether no token is asked for. */
export const isOpen = (token: Secret | undefined): token is undefined =>
  token === undefined || token.reveal() === ''

const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
