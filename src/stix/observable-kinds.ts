/** What the value of a property is: text, a number, true or false, or a time as ISO text. */
export type PropertyKind = 'text' | 'number' | 'boolean' | 'time'

/** A kind of observable: its names and the properties that tell one from another. */
export interface ObservableKind {
  /** OpenCTI's name of the type. */
  readonly type: string
  /** The properties that an observable of ours carries beside `hashes`. */
  readonly properties: ReadonlyMap<string, PropertyKind>
  /** Whether it has `hashes`. */
  readonly hasHashes: boolean
  /** The properties that tell one observable from another: one without any of them is none. */
  readonly identifying: ReadonlySet<string>
}

function kind(
  type: string,
  identifying: Readonly<Record<string, PropertyKind>>,
  others: Readonly<Record<string, PropertyKind>> = {},
  hasHashes = false,
): ObservableKind {
  return {
    type,
    properties: new Map(Object.entries({ ...identifying, ...others })),
    hasHashes,
    identifying: new Set([...Object.keys(identifying), ...(hasHashes ? ['hashes'] : [])]),
  }
}

const valued = (type: string) => kind(type, { value: 'text' })

/**
 * Every kind by its STIX type. What identifies one is what OpenCTI derives its id from (OpenCTI platform,
 * schema/identifier.js, `stixBaseCyberObservableContribution`), without references, which name other objects.
 */
const kindsByStixType: ReadonlyMap<string, ObservableKind> = new Map([
  ['ipv4-addr', valued('IPv4-Addr')],
  ['ipv6-addr', valued('IPv6-Addr')],
  ['domain-name', valued('Domain-Name')],
  ['hostname', valued('Hostname')],
  ['url', valued('Url')],
  ['email-addr', valued('Email-Addr')],
  ['mac-addr', valued('Mac-Addr')],
  ['text', valued('Text')],
  ['user-agent', valued('User-Agent')],
  ['cryptocurrency-wallet', valued('Cryptocurrency-Wallet')],
  ['cryptographic-key', valued('Cryptographic-Key')],
  ['credential', valued('Credential')],
  ['tracking-number', valued('Tracking-Number')],
  ['phone-number', valued('Phone-Number')],
  ['imei', valued('IMEI')],
  ['iccid', valued('ICCID')],
  ['imsi', valued('IMSI')],
  ['file', kind('StixFile', { name: 'text' }, { size: 'number', mime_type: 'text' }, true)],
  ['artifact', kind('Artifact', { url: 'text' }, { mime_type: 'text' }, true)],
  [
    'x509-certificate',
    kind('X509-Certificate', { serial_number: 'text', subject: 'text' }, { issuer: 'text' }, true),
  ],
  ['autonomous-system', kind('Autonomous-System', { number: 'number' }, { name: 'text', rir: 'text' })],
  ['bank-account', kind('Bank-Account', { iban: 'text' }, { bic: 'text', account_number: 'text' })],
  ['directory', kind('Directory', { path: 'text' })],
  [
    'email-message',
    kind('Email-Message', { subject: 'text', body: 'text' }, { message_id: 'text', content_type: 'text' }),
  ],
  ['media-content', kind('Media-Content', { url: 'text' }, { title: 'text', media_category: 'text' })],
  ['mutex', kind('Mutex', { name: 'text' })],
  [
    'network-traffic',
    kind('Network-Traffic', { src_port: 'number', dst_port: 'number', start: 'time', end: 'time' }),
  ],
  ['payment-card', kind('Payment-Card', { card_number: 'text' }, { holder_name: 'text' })],
  ['persona', kind('Persona', { persona_name: 'text', persona_type: 'text' })],
  [
    'process',
    kind('Process', { pid: 'number', command_line: 'text' }, { cwd: 'text', is_hidden: 'boolean' }),
  ],
  [
    'software',
    kind('Software', { name: 'text', cpe: 'text', swid: 'text', vendor: 'text', version: 'text' }),
  ],
  [
    'ssh-key',
    kind('SSH-Key', { fingerprint_sha256: 'text' }, { fingerprint_md5: 'text', public_key: 'text' }),
  ],
  [
    'user-account',
    kind(
      'User-Account',
      { account_type: 'text', user_id: 'text', account_login: 'text' },
      { display_name: 'text' },
    ),
  ],
  ['windows-registry-key', kind('Windows-Registry-Key', { key: 'text' })],
  [
    'windows-registry-value-type',
    kind('Windows-Registry-Value-Type', { name: 'text', data: 'text', data_type: 'text' }),
  ],
])

const kindsByType: ReadonlyMap<string, ObservableKind> = new Map(
  [...kindsByStixType.values()].map((each) => [each.type.toLowerCase(), each] as const),
)

const legacyPrefix = 'x-opencti-'

/** The kind of a STIX type; OpenCTI's own types were named `x-opencti-…` up to version 5. */
export function kindOfStixType(type: string): ObservableKind | undefined {
  return (
    kindsByStixType.get(type) ??
    (type.startsWith(legacyPrefix) ? kindsByStixType.get(type.slice(legacyPrefix.length)) : undefined)
  )
}

/** The kind of OpenCTI's name of a type, in any case; `File` means `StixFile`. */
export function kindOfOpenCtiType(type: string): ObservableKind | undefined {
  const lower = type.toLowerCase()
  return kindsByType.get(lower === 'file' ? 'stixfile' : lower)
}

/** One STIX type that stands for several of OpenCTI's. */
const ambiguousTypes: ReadonlySet<string> = new Set(['identity', 'location', 'threat-actor'])

/**
 * OpenCTI's name of a STIX type, undefined when several are possible or when the type is not OpenCTI's (OpenCTI
 * platform, database/stix-2-1-converter.ts, `convertTypeToStixType` read backwards).
 */
export function openCtiTypeOfStixType(type: string): string | undefined {
  const observable = kindOfStixType(type)
  if (observable !== undefined) return observable.type
  if (type === 'sighting') return 'stix-sighting-relationship'
  if (type.startsWith('x-') || ambiguousTypes.has(type) || !/^[a-z][a-z0-9-]{0,63}$/.test(type))
    return undefined
  return type.replaceAll(/(?:^|-)[a-z]/g, capital)
}

const capital = (letters: string) => letters.toUpperCase()
