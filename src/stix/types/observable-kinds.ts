/** Kind of a property's value: text, number, boolean, or time as ISO text. */
export type PropertyKind = 'text' | 'number' | 'boolean' | 'time'

/** A kind of observable: its names and identifying properties. */
export interface ObservableKind {
  /** OpenCTI type. */
  readonly type: string
  /** Properties our observable can have in addition to `hashes`. */
  readonly properties: ReadonlyMap<string, PropertyKind>
  /** Whether it has `hashes`. */
  readonly hasHashes: boolean
  /** Properties that identify an observable. One without any of them is not an observable. */
  readonly identifying: ReadonlySet<string>
  /**
   * Properties that our observable cannot have, and without which it would match more than the entity does:
   * references to other objects, lists, and nested values. `extensions` means STIX extensions. Does not apply
   * to a file identified by hashes.
   */
  readonly narrowing: readonly string[]
}

function kind(
  type: string,
  identifying: Readonly<Record<string, PropertyKind>>,
  others: Readonly<Record<string, PropertyKind>> = {},
  { hasHashes = false, narrowing = [] }: Partial<Pick<ObservableKind, 'hasHashes' | 'narrowing'>> = {},
): ObservableKind {
  return {
    type,
    properties: new Map(Object.entries({ ...identifying, ...others })),
    hasHashes,
    identifying: new Set([...Object.keys(identifying), ...(hasHashes ? ['hashes'] : [])]),
    narrowing,
  }
}

const valued = (type: string) => kind(type, { value: 'text' })

/**
 * Kinds by STIX type. The identifying and narrowing properties are those OpenCTI and STIX 2.1 derive an id
 * from (OpenCTI platform, schema/identifier.js, `stixBaseCyberObservableContribution`; STIX 2.1, section 6,
 * "ID Contributing Properties"), plus, for mail, traffic, and processes, the ones that name the parties.
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
  ['ai-prompt', valued('AI-Prompt')],
  ['user-agent', valued('User-Agent')],
  ['cryptocurrency-wallet', valued('Cryptocurrency-Wallet')],
  ['cryptographic-key', valued('Cryptographic-Key')],
  ['credential', valued('Credential')],
  ['tracking-number', valued('Tracking-Number')],
  ['phone-number', valued('Phone-Number')],
  ['imei', valued('IMEI')],
  ['iccid', valued('ICCID')],
  ['imsi', valued('IMSI')],
  [
    'file',
    kind(
      'StixFile',
      { name: 'text' },
      { size: 'number', mime_type: 'text' },
      { hasHashes: true, narrowing: ['parent_directory_ref', 'contains_refs', 'content_ref', 'extensions'] },
    ),
  ],
  ['artifact', kind('Artifact', { url: 'text' }, { mime_type: 'text' }, { hasHashes: true })],
  [
    'x509-certificate',
    kind(
      'X509-Certificate',
      { serial_number: 'text', subject: 'text' },
      { issuer: 'text' },
      { hasHashes: true },
    ),
  ],
  ['autonomous-system', kind('Autonomous-System', { number: 'number' }, { name: 'text', rir: 'text' })],
  ['bank-account', kind('Bank-Account', { iban: 'text' }, { bic: 'text', account_number: 'text' })],
  ['directory', kind('Directory', { path: 'text' })],
  [
    'email-message',
    kind(
      'Email-Message',
      { subject: 'text', body: 'text' },
      { message_id: 'text', content_type: 'text' },
      {
        narrowing: [
          'from_ref',
          'sender_ref',
          'to_refs',
          'cc_refs',
          'bcc_refs',
          'raw_email_ref',
          'body_multipart',
          'received_lines',
          'additional_header_fields',
        ],
      },
    ),
  ],
  ['media-content', kind('Media-Content', { url: 'text' }, { title: 'text', media_category: 'text' })],
  ['mutex', kind('Mutex', { name: 'text' })],
  [
    'network-traffic',
    kind(
      'Network-Traffic',
      { src_port: 'number', dst_port: 'number', start: 'time', end: 'time' },
      {},
      {
        narrowing: [
          'src_ref',
          'dst_ref',
          'src_payload_ref',
          'dst_payload_ref',
          'encapsulates_refs',
          'encapsulated_by_ref',
          'protocols',
          'ipfix',
          'extensions',
        ],
      },
    ),
  ],
  ['payment-card', kind('Payment-Card', { card_number: 'text' }, { holder_name: 'text' })],
  ['persona', kind('Persona', { persona_name: 'text', persona_type: 'text' })],
  [
    'process',
    kind(
      'Process',
      { pid: 'number', command_line: 'text' },
      { cwd: 'text', is_hidden: 'boolean' },
      {
        narrowing: [
          'image_ref',
          'parent_ref',
          'child_refs',
          'creator_user_ref',
          'opened_connection_refs',
          'environment_variables',
          'extensions',
        ],
      },
    ),
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
  [
    'windows-registry-key',
    kind('Windows-Registry-Key', { key: 'text' }, {}, { narrowing: ['creator_user_ref', 'values'] }),
  ],
  [
    'windows-registry-value-type',
    kind('Windows-Registry-Value-Type', { name: 'text', data: 'text', data_type: 'text' }),
  ],
])

const kindsByType: ReadonlyMap<string, ObservableKind> = new Map(
  [...kindsByStixType.values()].map((each) => [each.type.toLowerCase(), each] as const),
)

/** OpenCTI types of observables. */
export const observableTypes: readonly string[] = [...kindsByStixType.values()].map(({ type }) => type)

const legacyPrefix = 'x-opencti-'

/** Strips the `x-opencti-…` prefix OpenCTI types had up to version 5. */
export function withoutLegacyPrefix(type: string): string {
  return type.startsWith(legacyPrefix) ? type.slice(legacyPrefix.length) : type
}

/** The kind with a STIX type. */
export function kindOfStixType(type: string): ObservableKind | undefined {
  return kindsByStixType.get(type) ?? kindsByStixType.get(withoutLegacyPrefix(type))
}

/** The kind with an OpenCTI type, ignoring case. `File` means `StixFile`, and STIX types work, too. */
export function kindOfOpenCtiType(type: string): ObservableKind | undefined {
  const name = withoutLegacyPrefix(type.trim().toLowerCase())
  return kindsByType.get(name) ?? kindsByStixType.get(name)
}

/** STIX types that map to several OpenCTI types. */
const ambiguousTypes: ReadonlySet<string> = new Set(['identity', 'location', 'threat-actor'])

/**
 * OpenCTI type of a STIX type; undefined if it is ambiguous or not OpenCTI's (OpenCTI platform,
 * database/stix-2-1-converter.ts, inverse of `convertTypeToStixType`).
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
