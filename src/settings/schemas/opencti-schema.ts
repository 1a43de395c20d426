import { z } from 'zod'
import { booleanOfText } from './boolean-text.ts'
import { pemText } from './pem-text.ts'
import { proxyFor } from '../../network/proxy-for.ts'
import { proxyUrl } from '../../network/proxy-url.ts'
import { Secret, secret } from '../../util/secret.ts'
import { type OpenctiSettings } from './opencti-settings.ts'
import { settingNotes } from './setting-notes.ts'
import { withoutEnd } from '../../util/without-end.ts'

const certificates = 'PEM text or the path to a file'

const platformUrl = z
  .url({ protocol: /^https?$/, error: 'must be a URL that starts with http:// or https://' })
  .refine((url) => !URL.canParse(url) || new URL(url).username + new URL(url).password === '', {
    error: 'must not contain a user name or password; the token belongs in OPENCTI_TOKEN',
  })
  .refine((url) => !/[?#]/.test(url), { error: 'must not contain a query or a fragment' })
  // Paths are appended, so a trailing slash would double (pycti requests //stream).
  .transform((url) => withoutEnd(new URL(url).href, '/'))
  .describe('URL of the OpenCTI platform, including its base path if any.')
  .register(settingNotes, {
    expected: 'the URL of the platform, such as https://opencti.example.com',
    forAuthors: 'Without a trailing slash.',
    resolved: 'string',
  })

const tokenHeaderName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const customHeaders = z
  .record(
    z.string().regex(tokenHeaderName),
    z
      .string()
      .refine(isHeaderValue, { error: 'must not contain line breaks or other control characters' })
      .transform((value) => new Secret(value)),
  )
  .register(settingNotes, {
    expected: 'a list of headers in the form name1:value1;name2:value2, or a JSON object',
    isText: true,
    fromText: headersOfText,
  })

/**
 * Fields of the `opencti` section, as written.
 *
 * @internal
 */
export const openctiFields = z
  .object({
    url: platformUrl,
    token: secret().describe('API token of the connector’s user.').register(settingNotes, {
      expected: 'the API token of the connector’s user',
    }),
    ssl_verify: z
      .union([z.boolean(), pemText()])
      .default(true)
      .describe(
        'Verify the platform’s TLS certificate; a path or PEM text also sets the authorities to trust.',
      )
      .register(settingNotes, {
        expected: 'true, false, or the path to a CA file',
        fromText: (text) => booleanOfText(text) ?? text,
        resolved: 'boolean',
      }),
    ssl_ca: pemText()
      .optional()
      .describe(
        `Certificate authorities to trust for the platform, in addition to the system’s: ${certificates}.`,
      )
      .register(settingNotes, {
        expected: `${certificates} with certificate authorities`,
        resolved: 'string',
      }),
    https_ca_certificates: pemText()
      .optional()
      .describe(
        `Certificate authorities to trust for the platform and the target, in addition to the system’s: ${certificates}.`,
      )
      .register(settingNotes, {
        environment: ['HTTPS_CA_CERTIFICATES'],
        expected: `${certificates} with certificate authorities`,
        resolved: 'string',
      }),
    ssl_cert: pemText()
      .optional()
      .describe(`Client certificate: ${certificates}.`)
      .register(settingNotes, {
        expected: `${certificates} with the client certificate`,
        resolved: 'string',
      }),
    ssl_key: pemText()
      .transform((text) => new Secret(text))
      .optional()
      .describe(`Private key of the client certificate: ${certificates}.`)
      .register(settingNotes, {
        expected: `${certificates} with the private key of the client certificate`,
        isSecret: true,
      }),
    ssl_passphrase: secret().optional().describe('Passphrase of the private key.'),
    custom_headers: customHeaders
      .prefault({})
      .describe('Headers for every request to the platform, including the stream: name1:value1;name2:value2.')
      .register(settingNotes, { isSecret: true, resolved: 'Readonly<Record<string, Secret>>' }),
    json_logging: z.boolean().default(true).describe('Write log lines as JSON.'),
    proxy: proxyUrl()
      .optional()
      .describe('Proxy for the platform; overrides HTTP_PROXY and HTTPS_PROXY.')
      .register(settingNotes, { expected: 'the URL of an http or https proxy', isSecret: true }),
    http_proxy: proxyUrl()
      .optional()
      .describe('Proxy for http URLs.')
      .register(settingNotes, {
        environment: ['HTTP_PROXY', 'http_proxy'],
        expected: 'the URL of an http or https proxy',
        isSecret: true,
      }),
    https_proxy: proxyUrl()
      .optional()
      .describe('Proxy for https URLs.')
      .register(settingNotes, {
        environment: ['HTTPS_PROXY', 'https_proxy'],
        expected: 'the URL of an http or https proxy',
        isSecret: true,
      }),
    no_proxy: z
      .array(z.string())
      .default([])
      .describe(
        'Hosts, domains, IP addresses, and CIDR ranges (10.0.0.0/8, fd00::/8) to reach without a proxy; * for all.',
      )
      .register(settingNotes, { environment: ['NO_PROXY', 'no_proxy'] }),
  })
  .describe('How to reach the platform: the `opencti` section of the settings.')

/**
 * Schema of the `opencti` section. Moves a CA in `ssl_verify` to `ssl_ca`, and resolves the proxy for `url`.
 *
 * @internal
 */
export const openctiSchema = openctiFields
  .refine(({ ssl_cert, ssl_key }) => (ssl_cert === undefined) === (ssl_key === undefined), {
    path: ['ssl_cert'],
    error: 'and OPENCTI_SSL_KEY must be set together; one of them is missing',
  })
  .transform(({ ssl_verify, ssl_ca, proxy, ...rest }): OpenctiSettings => {
    return {
      ...rest,
      ssl_verify: ssl_verify !== false,
      ssl_ca: joined(
        ssl_ca ?? (typeof ssl_verify === 'string' ? ssl_verify : undefined),
        rest.https_ca_certificates,
      ),
      proxy: proxy ?? proxyFor(new URL(rest.url), rest),
    }
  })

/** Joins certificate texts. */
function joined(...texts: readonly (string | undefined)[]): string | undefined {
  const given = texts.filter((text) => text !== undefined)
  return given.length === 0 ? undefined : given.join('\n')
}

/** Parses `name1:value1;name2:value2`. Leaves anything else as text for the schema to reject. */
function headersOfText(text: string): unknown {
  if (text.startsWith('{')) {
    try {
      return JSON.parse(text) as unknown
    } catch {
      return text
    }
  }
  const pairs = text.split(';').filter((pair) => pair.trim() !== '')
  if (!pairs.every((pair) => pair.indexOf(':') > 0)) return text
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf(':')).trim(), pair.slice(pair.indexOf(':') + 1).trim()]),
  )
}

/** No line breaks or other control characters, except tab (RFC 9110, 5.5). */
function isHeaderValue(value: string): boolean {
  return [...value].every((character) => character === '\t' || (character >= ' ' && character !== '\u007F'))
}
