import { randomUUID } from 'node:crypto'
import { platformHttpOptions } from '../session/platform-http-options.ts'
import { scrubError } from '../observe/log/scrub.ts'
import { createPlatformHttp } from '../opencti/http.ts'
import { Platform } from '../opencti/platform.ts'
import { parsePosition, type Position } from '../util/position.ts'
import { checkStream } from '../opencti/stream-check.ts'
import { routesNotKnown } from '../settings/reading/changed-routes.ts'
import { defineSettings } from '../settings/schemas/define-settings.ts'
import { loadSettings } from '../settings/reading/load-settings.ts'
import { type Clock } from '../util/clock.ts'
import { Redactor } from '../util/redactor.ts'
import { type BuiltInSettings } from './check-platform.ts'
import { settingsFolder } from './settings-folder.ts'

/** A live stream to look at: the configured one, or another. */
export interface StreamSource {
  readonly settings: BuiltInSettings
  readonly http: ReturnType<typeof createPlatformHttp>
  readonly id: string
  readonly name: string
  /** URL of the stream. */
  readonly url: string
  /** Redacts the configured secrets. */
  readonly clean: (text: string) => string
  /** End of the stream: by the platform's own numbers if it sends them, otherwise by our clock. */
  readonly newest: () => Promise<Position>
}

/**
 * Reads the platform settings and verifies that the stream exists.
 *
 * @throws SettingsError, or PlatformError with what to do.
 */
export async function openSource(
  streamId: string | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<StreamSource> {
  // Looking needs no identity on the platform.
  const env = {
    ...process.env,
    CONNECTOR_ID: process.env['CONNECTOR_ID']?.trim() || randomUUID(),
    ...(streamId === undefined ? {} : { CONNECTOR_LIVE_STREAM_ID: streamId }),
  }
  const loaded = loadSettings(defineSettings({}), {
    env,
    directory: settingsFolder(),
    defaults: { name: 'opencti-stream', routes: routesNotKnown },
  })
  const { settings } = loaded
  const redactor = new Redactor()
  for (const secret of loaded.secrets) redactor.add(secret)
  const { url } = settings.opencti
  const http = createPlatformHttp(platformHttpOptions(settings.opencti))
  const platform = new Platform(http, url, { clock })
  const rethrow = (error: unknown): never => {
    // A platform or proxy may echo what it was sent.
    scrubError(error, redactor)
    throw error
  }
  const { id, name } = await checkStream({
    platform,
    http,
    url,
    streamId: streamId ?? settings.connector.live_stream_id,
    signal,
    clock,
  }).catch(rethrow)
  return {
    settings,
    http,
    id,
    name,
    url: `${url}/stream/${encodeURIComponent(id)}`,
    clean: (text) => redactor.clean(text),
    newest: async () => {
      const info = await platform.streamInfo(signal).catch(rethrow)
      return (info && parsePosition(info.lastEventId)) ?? { ms: clock.now(), seq: 0 }
    },
  }
}
