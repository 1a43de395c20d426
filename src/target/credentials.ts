import { type Secret } from '../util/secret.ts'
import { type TargetSettings } from '../settings/schemas/target-settings.ts'
import { OAuthTokens, type OAuthTokensOptions } from './oauth-tokens.ts'

/** What a target knows the connector by. */
export interface Credentials {
  /** The value of the `authorization` header; waits for it no longer than `signal` allows. */
  authorization(signal: AbortSignal): string | Promise<string>
  /** The target has refused this value. Answers whether another one may be had. */
  refused(authorization: string): boolean
}

/**
 * The credentials of a target.
 *
 * @throws TypeError when they are of several kinds, or not whole.
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
      'targetHttp: a target has either token, or username and password, or client_id, client_secret and token_url.',
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

/** The text of a secret, whether it came from settings or from elsewhere. */
export function textOf(value: Secret | string): string {
  return typeof value === 'string' ? value : value.reveal()
}

function constant(value: string): Credentials {
  return { authorization: () => value, refused: () => false }
}
