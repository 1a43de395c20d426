import { randomUUID } from 'node:crypto'
import { platformHttpOptions } from '../session/platform-http-options.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { createPlatformHttp } from '../opencti/http.ts'
import { Platform, type PlatformUser } from '../opencti/platform.ts'
import { checkStream } from '../opencti/stream-check.ts'
import { type SectionSettings } from '../settings/schemas/settings-of.ts'
import { type Clock } from '../util/clock.ts'
import { type CheckResult, failed, ok, skipped } from './check-result.ts'

const reading = 'Right to read'
const registering = 'Right to register'

/** Names of the checks in {@link checkPlatform}. */
export const platformChecks = ['Platform', 'Token', 'Live stream', reading, registering] as const

/** Checks the platform the way the connector uses it, without registering or changing anything. */
export async function* checkPlatform(
  settings: BuiltInSettings,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<CheckResult> {
  const { opencti, connector } = settings
  const http = createPlatformHttp(platformHttpOptions(opencti))
  const platform = new Platform(http, opencti.url, { clock })
  const beganMs = clock.monotonic()
  let version: string | undefined
  try {
    version = await platform.about(signal)
  } catch (error) {
    // Whoever rejects a token is reachable.
    if (!isStreamConnectorError(error) || error.code !== 'PLATFORM_REFUSED') {
      yield failed('Platform', error)
      for (const name of platformChecks.slice(1)) yield skipped(name, 'the platform must be reachable first')
      return
    }
    yield ok('Platform', `${opencti.url} answers`)
    yield failed('Token', error)
    for (const name of platformChecks.slice(2)) yield skipped(name, 'the token must be accepted first')
    return
  }
  const took = Math.round(clock.monotonic() - beganMs)
  const unverified =
    opencti.ssl_verify || !opencti.url.startsWith('https:')
      ? ''
      : '. Its certificate is not verified (OPENCTI_SSL_VERIFY=false)'
  yield ok('Platform', `OpenCTI ${version ?? '(unknown version)'} at ${opencti.url}, ${took} ms${unverified}`)
  let user: PlatformUser | undefined
  try {
    user = await platform.me(signal)
    yield ok(
      'Token',
      user === undefined ? 'accepted; the platform does not say for which user' : ownerOf(user),
    )
  } catch (error) {
    yield failed('Token', error)
  }
  yield* streamResults(user, async () => {
    const { name } = await checkStream({
      platform,
      http,
      url: opencti.url,
      streamId: connector.live_stream_id,
      signal,
      clock,
    })
    return name
  })
  yield await registration(platform, user, signal)
}

/** Settings every connector has. */
export type BuiltInSettings = SectionSettings<Record<never, never>>

function ownerOf({ name, email }: PlatformUser): string {
  return email === undefined ? `for the user "${name}"` : `for the user "${name}" (${email})`
}

async function* streamResults(
  user: PlatformUser | undefined,
  check: () => Promise<string>,
): AsyncGenerator<CheckResult> {
  let name: string
  try {
    name = await check()
  } catch (error) {
    const code = isStreamConnectorError(error) ? error.code : undefined
    if (code === 'STREAM_FORBIDDEN') {
      yield skipped('Live stream', 'the platform does not say who may read it')
      yield mayDo(user, 'TAXIIAPI') === false
        ? failed(
            reading,
            'The token\'s user may not read live streams. Give the user the capability "Access data sharing" (TAXIIAPI) by adding it to the group Connectors (Settings > Security > Groups).',
            code,
          )
        : failed(reading, error)
      return
    }
    yield failed('Live stream', error)
    yield skipped(reading, 'the stream must exist first')
    return
  }
  yield ok('Live stream', `"${name}" exists and runs`)
  yield ok(reading, 'the token may read the stream')
}

/**
 * Whether a user has a capability; undefined if the platform does not say. In OpenCTI, a longer capability of
 * the same family implies a shorter one (OpenCTI platform, utils/access.ts).
 */
function mayDo(user: PlatformUser | undefined, capability: string): boolean | undefined {
  return user?.capabilities?.some((name) => name === 'BYPASS' || name.startsWith(capability))
}

async function registration(
  platform: Platform,
  user: PlatformUser | undefined,
  signal: AbortSignal,
): Promise<CheckResult> {
  let may: boolean
  try {
    may = mayDo(user, 'CONNECTORAPI') ?? (await platform.mayPing(randomUUID(), signal))
  } catch (error) {
    return failed(registering, error)
  }
  const unseen =
    mayDo(user, 'MODULES') === false
      ? '. It may not read its state on the platform (capability MODULES, which the group Connectors has), so a position written there by someone else goes unnoticed'
      : ''
  if (may) return ok(registering, `the token may register a connector${unseen}`)
  return failed(
    registering,
    `The token's user may not register connectors. Give the user the capability "Connectors API usage" (CONNECTORAPI) by adding it to the group Connectors (Settings > Security > Groups).`,
    'PLATFORM_REFUSED',
  )
}
