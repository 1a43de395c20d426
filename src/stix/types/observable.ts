import { type OptionalFields } from './entity-base.ts'
import { type Hashes } from './hashes.ts'

/** OpenCTI types of observables with a single value. */
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

/** An observable identified by one value: an address, a name, a URL. */
export interface ValueObservable {
  readonly type: ValueObservableType
  readonly value: string
}

/** A file. Has at least `hashes` or `name`; all properties present must match. */
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

/** A certificate: `hashes`, `serial_number`, or `subject`. */
export interface CertificateObservable extends OptionalFields<{
  hashes: Hashes
  serial_number: string
  subject: string
  issuer: string
}> {
  readonly type: 'X509-Certificate'
}

type Other<Type extends string, Properties> = { readonly type: Type } & OptionalFields<Properties>

/** An observable identified by several properties. Has at least one; all properties present must match. */
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
 * Something to look for on a system or network, shaped like OpenCTI's `observable_values`, with OpenCTI
 * types, STIX property names, and the hash names of {@link Hashes}. If it is found, the entity it comes from
 * applies. Properties of one observable must all match.
 */
export type Observable =
  ValueObservable | FileObservable | ArtifactObservable | CertificateObservable | CompositeObservable

/** Why part of an entity cannot be expressed as an observable. */
export type NotExpressibleReason =
  /** The pattern is in another language (YARA, Sigma, Snort, KQL, …), named by `language`. */
  | 'language'
  /** There is no pattern. */
  | 'no-pattern'
  /** The pattern violates the grammar. */
  | 'syntax'
  /** `!=` or `NOT`: names what not to look for. */
  | 'negation'
  /** `<`, `>`, `LIKE`, `MATCHES`, `ISSUBSET`, `ISSUPERSET`, or `EXISTS`: not a single value. */
  | 'operator'
  /** Several things must be seen together (`AND`, `FOLLOWEDBY`); one alone means nothing. */
  | 'together'
  /** It must be seen several times or within a time span. */
  | 'qualifier'
  /** The value belongs to a referenced object, such as `network-traffic:dst_ref.value`. */
  | 'reference'
  /** The value is in a list or nested deeper in the object. */
  | 'nested'
  /** An {@link Observable} cannot have this object type. */
  | 'type'
  /** An {@link Observable} of this type does not have the property, or the property does not identify it. */
  | 'property'
  /** The value is of the wrong kind for the property. */
  | 'value'
  /** Too many combinations: more than 1,000. */
  | 'too-many'

/** Part of an entity that cannot be expressed as an observable, and why. */
export interface NotExpressible {
  readonly reason: NotExpressibleReason
  /** A sentence for people. */
  readonly message: string
  /** Language of the pattern, as the platform names it, if that is the reason. */
  readonly language?: string | undefined
  /** Location in the pattern, in UTF-16 code units starting at 0. Lines and columns start at 1. */
  readonly offset: number
  readonly line: number
  readonly column: number
}

/**
 * Result of {@link observablesOf}. Both lists are empty if the entity is neither an indicator nor an
 * observable.
 */
export interface ObservablesResult {
  readonly observables: readonly Observable[]
  readonly notExpressible: readonly NotExpressible[]
}
