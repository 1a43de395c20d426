import { randomUUID } from 'node:crypto'
import { platformHttpOptions } from '../connector/platform-http-options.ts'
import { createPlatformHttp } from '../opencti/http.ts'
import { Platform } from '../opencti/platform.ts'
import { parsePosition, type Position } from '../opencti/position.ts'
import { checkStream } from '../opencti/stream-check.ts'
import { defineSettings } from '../settings/define-settings.ts'
import { loadSettings } from '../settings/load-settings.ts'
import { type Clock } from '../util/clock.ts'
import { Redactor } from '../util/redactor.ts'
import { type BuiltInSettings } from './check-platform.ts'
import { settingsFolder } from './settings-folder.ts'

/** A live stream that a person looks at: the one of the settings, or another one. */
export interface StreamSource {
  readonly settings: BuiltInSettings
  readonly http: ReturnType<typeof createPlatformHttp>
  readonly platform: Platform
  readonly id: string
  readonly name: string
  /** Its address. */
  readonly url: string
  /** Takes the secrets of the settings out of a text. */
  readonly clean: (text: string) => string
}

/**
 * Reads the settings of the platform and makes sure that the stream is there.
 *
 * @throws SettingsError, or PlatformError with what to do.
 */
export async function openSource(
  streamId: string | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<StreamSource> {
  // Who only looks needs no identity at the platform.
  const env = { ...process.env, CONNECTOR_ID: process.env['CONNECTOR_ID']?.trim() || randomUUID() }
  const loaded = loadSettings(defineSettings({}), {
    env,
    directory: settingsFolder(),
    defaults: { name: 'opencti-stream' },
  })
  const { settings } = loaded
  const redactor = new Redactor()
  for (const secret of loaded.secrets) redactor.add(secret)
  const { url } = settings.opencti
  const http = createPlatformHttp(platformHttpOptions(settings.opencti))
  const platform = new Platform(http, url, { clock })
  const { id, name } = await checkStream({
    platform,
    http,
    url,
    streamId: streamId ?? settings.connector.live_stream_id,
    signal,
    clock,
  })
  return {
    settings,
    http,
    platform,
    id,
    name,
    url: `${url}/stream/${encodeURIComponent(id)}`,
    clean: (text) => redactor.clean(text),
  }
}

/** The end of the stream: by the platform's own numbers where it tells them, else by our clock. */
export async function newestPosition(
  { platform }: StreamSource,
  clock: Clock,
  signal: AbortSignal,
): Promise<Position> {
  const info = await platform.streamInfo(signal)
  const newest = info === undefined ? undefined : parsePosition(info.lastEventId)
  return newest ?? { ms: clock.now(), seq: 0 }
}
