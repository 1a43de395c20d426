import { type Secret } from '../util/secret.ts'
import { type TargetSettings } from '../settings/schemas/target-settings.ts'
import { OAuthTokens, type OAuthTokensOptions } from './oauth-tokens.ts'

/** How the connector authenticates to a target. */
export interface Credentials {
  /** Value of the `authorization` header; waits for it as long as `signal` allows. */
  authorization(signal: AbortSignal): string | Promise<string>
  /** The target refused this value. Returns whether another one may be available. */
  refused(authorization: string): boolean
}

/**
 * Creates the credentials for a target.
 *
 * @throws TypeError if they are incomplete or of more than one kind.
 */
export function credentialsOf(
  target: TargetSettings,
  options: Omit<OAuthTokensOptions, 'client'>,
): Credentials | undefined {
  const { token, username, password, client_id: id, client_secret, token_url: url, scope, audience } = target
  const kinds = [[token], [username, password], [id, client_secret, url]]
  const given = kinds.filter((parts) => parts.some((part) => part !== undefined))
  if (given.length > 1 || given.some((parts) => parts.includes(undefined))) {
    throw new TypeError(
      'targetHttp: set exactly one of these for a target: token; username and password; or client_id, client_secret, and token_url.',
    )
  }
  if (token !== undefined) return constant(`Bearer ${textOf(token)}`)
  if (username !== undefined) {
    const text = `${username}:${textOf(password!)}`
    return constant(`Basic ${Buffer.from(text).toString('base64')}`)
  }
  if (id === undefined) return undefined
  const client = { id, secret: textOf(client_secret!), tokenUrl: new URL(url!), scope, audience }
  return new OAuthTokens({ ...options, client })
}

/** Text of a secret from settings or elsewhere. */
export function textOf(value: Secret | string): string {
  return typeof value === 'string' ? value : value.reveal()
}

function constant(value: string): Credentials {
  return { authorization: () => value, refused: () => false }
}
