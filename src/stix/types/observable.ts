import { type OptionalFields } from './entity-base.ts'
import { type Hashes } from './hashes.ts'

/** OpenCTI's names of the observables that are told by one value. */
export type ValueObservableType =
  | 'IPv4-Addr'
  | 'IPv6-Addr'
  | 'Domain-Name'
  | 'Hostname'
  | 'Url'
  | 'Email-Addr'
  | 'Mac-Addr'
  | 'Text'
  | 'User-Agent'
  | 'Cryptocurrency-Wallet'
  | 'Cryptographic-Key'
  | 'Credential'
  | 'Tracking-Number'
  | 'Phone-Number'
  | 'IMEI'
  | 'ICCID'
  | 'IMSI'
  | 'AI-Prompt'

/** An observable that one value tells: an address, a name, a URL. */
export interface ValueObservable {
  readonly type: ValueObservableType
  readonly value: string
}

/** A file. At least `hashes` or `name` is there; when several properties are there, all of them must match. */
export interface FileObservable extends OptionalFields<{
  hashes: Hashes
  name: string
  size: number
  mime_type: string
}> {
  readonly type: 'StixFile'
}

/** An artifact: `hashes` or `url`. */
export interface ArtifactObservable extends OptionalFields<{
  hashes: Hashes
  url: string
  mime_type: string
}> {
  readonly type: 'Artifact'
}

/** A certificate: `hashes`, `serial_number` or `subject`. */
export interface CertificateObservable extends OptionalFields<{
  hashes: Hashes
  serial_number: string
  subject: string
  issuer: string
}> {
  readonly type: 'X509-Certificate'
}

type Other<Type extends string, Properties> = { readonly type: Type } & OptionalFields<Properties>

/** An observable that several properties tell. At least one is there; all that are there must match together. */
export type CompositeObservable =
  | Other<'Autonomous-System', { number: number; name: string; rir: string }>
  | Other<'Bank-Account', { iban: string; bic: string; account_number: string }>
  | Other<'Directory', { path: string }>
  | Other<'Email-Message', { subject: string; body: string; message_id: string; content_type: string }>
  | Other<'Media-Content', { url: string; title: string; media_category: string }>
  | Other<'Mutex', { name: string }>
  | Other<'Network-Traffic', { src_port: number; dst_port: number; start: string; end: string }>
  | Other<'Payment-Card', { card_number: string; holder_name: string }>
  | Other<'Persona', { persona_name: string; persona_type: string }>
  | Other<'Process', { pid: number; command_line: string; cwd: string; is_hidden: boolean }>
  | Other<'Software', { name: string; cpe: string; swid: string; vendor: string; version: string }>
  | Other<'SSH-Key', { fingerprint_sha256: string; fingerprint_md5: string; public_key: string }>
  | Other<
      'User-Account',
      { account_type: string; user_id: string; account_login: string; display_name: string }
    >
  | Other<'Windows-Registry-Key', { key: string }>
  | Other<'Windows-Registry-Value-Type', { name: string; data: string; data_type: string }>

/**
 * Something to look for on a system or network, in the shape of OpenCTI's `observable_values`: the names of types are
 * OpenCTI's, those of properties STIX's, those of hashes {@link Hashes}'. When it is seen, the entity that it comes
 * from applies; properties that stand together must match together.
 */
export type Observable =
  ValueObservable | FileObservable | ArtifactObservable | CertificateObservable | CompositeObservable

/** Why a part of an entity gave no observable. */
export type NotExpressibleReason =
  /** The pattern is written in another language (YARA, Sigma, Snort, KQL …); `language` names it. */
  | 'language'
  /** There is no pattern. */
  | 'no-pattern'
  /** The pattern does not follow the grammar. */
  | 'syntax'
  /** `!=` and `NOT`: what is named is what must not be looked for. */
  | 'negation'
  /** `<`, `>`, `LIKE`, `MATCHES`, `ISSUBSET`, `ISSUPERSET`, `EXISTS`: no one value. */
  | 'operator'
  /** Several things must be seen together (`AND`, `FOLLOWEDBY`): one of them alone means nothing. */
  | 'together'
  /** The thing must be seen several times or within a span of time. */
  | 'qualifier'
  /** The value belongs to another object that this one refers to, such as `network-traffic:dst_ref.value`. */
  | 'reference'
  /** The value is one of a list or deeper within the object. */
  | 'nested'
  /** The type of the object is not one that an {@link Observable} can have. */
  | 'type'
  /** The property is not one that an {@link Observable} of the type has, or does not tell it from others. */
  | 'property'
  /** The value is not of the kind that the property has. */
  | 'value'
  /** So many combinations that they would not fit: more than 1,000. */
  | 'too-many'

/** A part of an entity that gave no observable, and why. */
export interface NotExpressible {
  readonly reason: NotExpressibleReason
  /** One sentence for a person. */
  readonly message: string
  /** The language of the pattern, as the platform names it, when that is the reason. */
  readonly language?: string | undefined
  /** The place in the pattern in UTF-16 code units from 0; lines and columns count from 1. */
  readonly offset: number
  readonly line: number
  readonly column: number
}

/** What {@link observablesOf} gives. Both lists are empty for what is neither an indicator nor an observable. */
export interface ObservablesResult {
  readonly observables: readonly Observable[]
  readonly notExpressible: readonly NotExpressible[]
}
