import ky, { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { platformFetch, type PlatformRoute } from './platform-fetch.ts'

/** How to reach the platform. */
export interface PlatformHttpOptions extends PlatformRoute {
  /** API token of the connector's user. */
  readonly token: string
  /**
   * Sent with every request, for a proxy that requires them. They cannot replace the three that this client
   * sets.
   */
  readonly customHeaders?: Readonly<Record<string, string>> | undefined
  /** Version of this package, for the User-Agent. */
  readonly version?: string | undefined
}

/** Printable ASCII without spaces: what a token may consist of. */
const tokenText = /^[\u0021-\u007e]+$/

/**
 * The only HTTP client for the platform, shared by GraphQL and the stream, so that token, custom headers,
 * TLS, and proxy apply to both. It returns whatever answer comes: no retry, no time limit, no error for a
 * status, no redirect followed; the caller decides all of that. It only sends requests to the platform's
 * origin.
 *
 * @throws StreamConnectorError `SETTINGS_INVALID` if the token or a custom header cannot be sent.
 */
export function createPlatformHttp(options: PlatformHttpOptions): KyInstance {
  if (!tokenText.test(options.token)) {
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'The token of the OpenCTI platform is empty or contains characters that cannot be sent, such as a line ' +
        'break or a space. Copy it again (OPENCTI_TOKEN, opencti.token).',
    )
  }
  const headers = new Headers()
  for (const [name, value] of Object.entries(options.customHeaders ?? {})) {
    try {
      headers.set(name, value)
    } catch {
      // The message of Headers would show the value.
      throw new StreamConnectorError(
        'SETTINGS_INVALID',
        'A custom header for the OpenCTI platform has a name or value that cannot be sent. ' +
          'Check OPENCTI_CUSTOM_HEADERS (opencti.custom_headers).',
      )
    }
  }
  headers.set('authorization', `Bearer ${options.token}`)
  const product = 'opencti-stream-connector'
  headers.set('user-agent', options.version === undefined ? product : `${product}/${options.version}`)
  const send = platformFetch(options)
  return ky.create({
    headers,
    retry: 0,
    timeout: false,
    throwHttpErrors: false,
    redirect: 'manual',
    // ky passes a Request; copying it would add another link to the chain that an abort must pass through.
    fetch: (input, init) => send(input instanceof Request ? input : new Request(input, init)),
  })
}
