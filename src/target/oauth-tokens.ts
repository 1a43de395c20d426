import type { ClientAuth, TokenEndpointResponse } from 'oauth4webapi'
import { errorFacts } from '../errors/error-facts.ts'
import { RetryableError } from '../errors/steering-errors.ts'
import { describeError } from '../errors/verdict.ts'
import { type Clock } from '../util/clock.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type Redactor } from '../util/redactor.ts'
import { type Credentials } from './credentials.ts'
import { type TargetNetwork } from './target-network.ts'

/** OAuth client, and where it gets tokens. */
export interface OAuthClient {
  readonly id: string
  readonly secret: string
  readonly tokenUrl: URL
  readonly scope: string | undefined
  readonly audience: string | undefined
}

/** Timeout for fetching a token, in milliseconds. */
const timeoutMs = 30_000

/** Renew a token this long before it expires, in milliseconds, but at most in the last tenth of its life. */
const aheadMs = 60_000

interface Token {
  readonly value: string
  /** On the monotonic clock; infinite if the target does not say. */
  readonly renewAtMs: number
  readonly expiresAtMs: number
}

/**
 * Access tokens from client credentials (RFC 6749, 4.4). All requests share one token, fetched once for all
 * who need it, renewed before it expires and when the target rejects it.
 */
export class OAuthTokens implements Credentials {
  readonly #options: OAuthTokensOptions
  #token: Token | undefined
  #flight: Promise<Token> | undefined
  /**
   * Send the client's credentials in a header, or in the body: servers differ, and the first that works is
   * kept.
   */
  #usesBody = false

  constructor(options: OAuthTokensOptions) {
    this.#options = options
  }

  async authorization(signal: AbortSignal): Promise<string> {
    const token = this.#token
    const nowMs = this.#options.clock.monotonic()
    if (token !== undefined && nowMs < token.renewAtMs) return headerOf(token)
    const renewed = () => (this.#flight ??= this.#renew().finally(() => (this.#flight = undefined)))
    try {
      return headerOf(await raceWithSignal(signal, renewed))
    } catch (error) {
      // The current token is still valid.
      if (signal.aborted || token === undefined || token !== this.#token || nowMs >= token.expiresAtMs)
        throw error
      return headerOf(token)
    }
  }

  refused(authorization: string): boolean {
    if (this.#token !== undefined && headerOf(this.#token) === authorization) this.#drop()
    return true
  }

  async #renew(): Promise<Token> {
    const { clock, redactor } = this.#options
    const askedAtMs = clock.monotonic()
    const { access_token: value, expires_in: seconds } = await this.#fetch()
    this.#drop()
    redactor.add(value)
    const lifeMs = (seconds ?? Number.POSITIVE_INFINITY) * 1000
    const renewInMs = lifeMs === Number.POSITIVE_INFINITY ? lifeMs : lifeMs - Math.min(aheadMs, lifeMs / 10)
    this.#token = { value, renewAtMs: askedAtMs + renewInMs, expiresAtMs: askedAtMs + lifeMs }
    return this.#token
  }

  #drop(): void {
    if (this.#token !== undefined) this.#options.redactor.forget(this.#token.value)
    this.#token = undefined
  }

  async #fetch(): Promise<TokenEndpointResponse> {
    try {
      return await this.#ask(this.#usesBody)
    } catch (error) {
      const { status } = errorFacts(error, 0)
      if (status !== 400 && status !== 401) throw this.#explained(error)
      try {
        const answer = await this.#ask(!this.#usesBody)
        this.#usesBody = !this.#usesBody
        return answer
      } catch {
        throw this.#explained(error)
      }
    }
  }

  async #ask(usesBody: boolean): Promise<TokenEndpointResponse> {
    const { client, clock, network, stopped } = this.#options
    const oauth = await import('oauth4webapi')
    const server = { issuer: client.tokenUrl.origin, token_endpoint: client.tokenUrl.href }
    const known = { client_id: client.id }
    const authenticate: ClientAuth = usesBody
      ? oauth.ClientSecretPost(client.secret)
      : oauth.ClientSecretBasic(client.secret)
    const { scope, audience } = client
    const parameters = { ...(scope !== undefined && { scope }), ...(audience !== undefined && { audience }) }
    const late = new AbortController()
    const cancel = clock.schedule(timeoutMs, () => late.abort(new DOMException('', 'TimeoutError')))
    try {
      const response = await oauth.clientCredentialsGrantRequest(server, known, authenticate, parameters, {
        signal: AbortSignal.any([stopped, late.signal]),
        // An operator who configured an http URL decided to trust it.
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: async (address, { headers, body, signal }) =>
          asOk(
            await network.send({
              url: new URL(address),
              method: 'POST',
              headers: new Headers(headers),
              body: new TextEncoder().encode(String(body)),
              signal: signal!,
              redirect: 'manual',
              isLong: false,
            }),
          ),
      })
      return await oauth.processClientCredentialsResponse(server, known, response)
    } finally {
      cancel()
    }
  }

  /** Wrong credentials affect every event: the target is down until someone fixes them. */
  #explained(error: unknown): Error {
    const { status, retryAfterMs } = errorFacts(error, this.#options.clock.now())
    const { origin, pathname } = this.#options.client.tokenUrl
    const where = `${origin}${pathname}`
    const { error: code, error_description: words } = error as { error?: string; error_description?: string }
    const said = [status, code, words].filter((part) => part !== undefined).join(', ')
    if (status !== undefined && status < 500 && status !== 408 && status !== 429) {
      const text = `No access token: ${where} refuses the client (${said}). Check the target's client_id, client_secret, and scope.`
      return Object.assign(new Error(text), { status: 401 })
    }
    const why = status === undefined ? describeError(error) : said
    return new RetryableError(`No access token from ${where}: ${why}.`, {
      cause: causeOf(error),
      retryAfterMs,
    })
  }
}

export interface OAuthTokensOptions {
  readonly client: OAuthClient
  readonly network: Pick<TargetNetwork, 'send'>
  readonly clock: Clock
  /** Receives each token while in use. */
  readonly redactor: Pick<Redactor, 'add' | 'forget'>
  /** Aborts when the connector abandons work in flight. */
  readonly stopped: AbortSignal
}

/** Some servers answer 201 for a created token, which the standard does not provide for. */
function asOk(response: Response): Response {
  if (response.status === 200 || !response.ok || response.body === null) return response
  return new Response(response.body, { status: 200, headers: [...response.headers] })
}

/** The cause of a network failure. The server's responses would reveal in logs what it sent. */
function causeOf(error: unknown): unknown {
  return errorFacts(error, 0).status === undefined ? error : undefined
}

function headerOf({ value }: Token): string {
  return `Bearer ${value}`
}
