import { type PlatformHttpOptions } from '../opencti/http.ts'
import { type OpenctiSettings } from '../settings/schemas/opencti-settings.ts'
import { version } from '../util/version.ts'

/** Converts the platform settings for its HTTP client. The only place that reveals their secrets. */
export function platformHttpOptions(settings: OpenctiSettings): PlatformHttpOptions {
  const headers = Object.entries(settings.custom_headers)
  return {
    url: settings.url,
    version,
    token: settings.token.reveal(),
    customHeaders: Object.fromEntries(headers.map(([name, value]) => [name, value.reveal()])),
    verify: settings.ssl_verify,
    ca: settings.ssl_ca,
    cert: settings.ssl_cert,
    key: settings.ssl_key?.reveal(),
    passphrase: settings.ssl_passphrase?.reveal(),
    proxy: settings.proxy?.reveal(),
  }
}
