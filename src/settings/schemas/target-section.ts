import { z } from 'zod'
import { pemText } from './pem-text.ts'
import { proxyUrl } from '../../network/proxy-url.ts'
import { Secret, secret } from '../../util/secret.ts'
import { settingNotes } from './setting-notes.ts'

const pem = 'PEM text or the path to a file'
const address = () =>
  z.url({ protocol: /^https?$/, error: 'must be a URL that starts with http:// or https://' })

const connection = () => ({
  url: address().describe('Base URL of the target’s API.').register(settingNotes, {
    forAuthors: 'Request paths are relative to it. Credentials are sent nowhere else.',
  }),
  ssl_verify: z.boolean().default(true).describe('Verify the target’s TLS certificate.'),
  ssl_ca: pemText()
    .optional()
    .describe(`Certificate authorities to trust for the target, in addition to the system’s: ${pem}.`)
    .register(settingNotes, { expected: `${pem} with certificate authorities` }),
  ssl_cert: pemText()
    .optional()
    .describe(`Client certificate for the target: ${pem}.`)
    .register(settingNotes, { expected: `${pem} with the client certificate` }),
  ssl_key: pemText()
    .transform((text) => new Secret(text))
    .optional()
    .describe(`Private key of the client certificate: ${pem}.`)
    .register(settingNotes, {
      expected: `${pem} with the private key of the client certificate`,
      isSecret: true,
    }),
  ssl_passphrase: secret().optional().describe('Passphrase of the private key.'),
  proxy: proxyUrl()
    .optional()
    .describe('Proxy for the target; overrides HTTP_PROXY and HTTPS_PROXY.')
    .register(settingNotes, { expected: 'the URL of an http or https proxy', isSecret: true }),
})

/**
 * Fields of a section, by kind of credentials. Functions, because top-level schemas would pull zod into every
 * bundle of the package's helpers.
 */
export const targetShapes = {
  none: connection,
  token: () => ({
    ...connection(),
    token: secret()
      .describe('API token.')
      .register(settingNotes, { forAuthors: 'Sent as `Authorization: Bearer …`.' }),
  }),
  basic: () => ({
    ...connection(),
    username: z
      .string()
      .describe('API user name.')
      .register(settingNotes, { forAuthors: 'Sent with `password`, as `Authorization: Basic …`.' }),
    password: secret().describe('API password.'),
  }),
  oauth2: () => ({
    ...connection(),
    client_id: z.string().describe('OAuth client id.'),
    client_secret: secret().describe('OAuth client secret.'),
    token_url: address().describe('Token endpoint (OAuth 2.0 client credentials).').register(settingNotes, {
      forAuthors: 'Tokens are renewed before they expire, and when the target rejects one.',
    }),
    scope: z
      .string()
      .optional()
      .describe('Requested scopes, separated by spaces.')
      .register(settingNotes, { forAuthors: 'Unset: the target’s default.' }),
    audience: z.string().optional().describe('Requested audience, if the target requires one.'),
  }),
}

/** Result of {@link targetSettings}, by kind of credentials. */
export type TargetSection<Kind extends keyof typeof targetShapes> = z.ZodObject<
  ReturnType<(typeof targetShapes)[Kind]>
>

/**
 * Settings section for a target: base URL, one kind of credentials, and TLS, named like the platform's
 * settings. Pass the section to `targetHttp`.
 *
 * @param kind `token`, `basic` (username and password), `oauth2` (client credentials), or `none`.
 *
 * @example
 * ```ts
 * import { StreamConnector, defineSettings, targetSettings, z, type Entity } from 'opencti-stream-connector'
 *
 * const settings = defineSettings({
 *   // EDR_URL, EDR_CLIENT_ID, EDR_CLIENT_SECRET, EDR_TOKEN_URL, EDR_SSL_VERIFY, EDR_SSL_CA …, and one of its own
 *   edr: targetSettings('oauth2').extend({ list: z.string().default('opencti') }),
 * })
 *
 * class EdrConnector extends StreamConnector<typeof settings> {
 *   static override readonly settings = settings
 *   #edr = this.targetHttp(this.settings.edr)
 *   transform = (entity: Entity) => entity
 *   override async create(entity: Entity) {
 *     await this.#edr.post(`lists/${this.settings.edr.list}`, { json: entity })
 *   }
 * }
 *
 * export { EdrConnector }
 * ```
 */
export function targetSettings<Kind extends keyof typeof targetShapes = 'none'>(
  kind?: Kind,
): TargetSection<Kind> {
  // Without `kind`, the type parameter has its default.
  return z.object(targetShapes[kind ?? ('none' as Kind)]()) as TargetSection<Kind>
}
