import ky, { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { platformFetch, type PlatformRoute } from './platform-fetch.ts'

/** How to talk to the platform. */
export interface PlatformHttpOptions extends PlatformRoute {
  /** API token of the connector's user. */
  readonly token: string
  /** Sent with every request, for a proxy that wants them. They cannot replace the three that this client sets. */
  readonly customHeaders?: Readonly<Record<string, string>> | undefined
  /** Version of this package, for the User-Agent. */
  readonly version?: string | undefined
}

/** Printable ASCII without spaces: what a token may consist of. */
const tokenText = /^[\u0021-\u007e]+$/

/**
 * The one HTTP client for the platform, shared by GraphQL and the stream, so that token, custom headers, TLS and
 * proxy hold for both. It answers with whatever status came: no retry, no time limit, no error for a status, no
 * redirect followed; all of that is decided where it is known what was asked. It speaks to the platform's origin
 * alone.
 *
 * @throws StreamConnectorError `SETTINGS_INVALID` when the token or a custom header cannot be sent.
 */
export function createPlatformHttp(options: PlatformHttpOptions): KyInstance {
  if (!tokenText.test(options.token)) {
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'The token of the OpenCTI platform is empty or has characters in it that cannot be sent, such as a line ' +
        'break or a space. Copy it again (OPENCTI_TOKEN, or opencti.token).',
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
        'A custom header for the OpenCTI platform has a name or a value that cannot be sent. ' +
          'Check OPENCTI_CUSTOM_HEADERS, or opencti.custom_headers.',
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
    // ky hands over a Request; a copy of it would be one more link in the chain that an abort has to go through.
    fetch: (input, init) => send(input instanceof Request ? input : new Request(input, init)),
  })
}
