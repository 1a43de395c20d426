import { type EntityBase, type ExternalReference, type OptionalFields } from './entity-base.ts'

/** Hashes as in the document. Use `hashesOf`, which normalizes the names. */
type RawHashes = Readonly<Record<string, string>>

/**
 * A standard STIX observable. Labels, score, description, and author are in the observable extension (OpenCTI
 * platform, database/stix-2-1-converter.ts, `buildStixCyberObservable`).
 */
interface StandardObservable<Type extends string> extends EntityBase<Type> {
  readonly defanged?: boolean | undefined
}

/** An OpenCTI-only observable. Labels, score, description, and author are at the top level (same file). */
interface CustomObservable<Type extends string>
  extends
    EntityBase<Type>,
    OptionalFields<{
      defanged: boolean
      description: string
      score: number
      external_references: readonly ExternalReference[]
    }> {}

/** An observable with a single `value`. */
interface Valued {
  readonly value: string
}

/** An IPv4 address, or a range in CIDR notation. */
export interface IPv4Address
  extends
    StandardObservable<'ipv4-addr'>,
    Valued,
    OptionalFields<{ resolves_to_refs: readonly string[]; belongs_to_refs: readonly string[] }> {}

/** An IPv6 address, or a range in CIDR notation. */
export interface IPv6Address
  extends
    StandardObservable<'ipv6-addr'>,
    Valued,
    OptionalFields<{ resolves_to_refs: readonly string[]; belongs_to_refs: readonly string[] }> {}

/** A domain name. */
export interface DomainName
  extends
    StandardObservable<'domain-name'>,
    Valued,
    OptionalFields<{ resolves_to_refs: readonly string[] }> {}

/** A URL. Its score is at the top level as well. */
export interface Url extends StandardObservable<'url'>, Valued, OptionalFields<{ score: number }> {}

/** An email address. */
export interface EmailAddress
  extends
    StandardObservable<'email-addr'>,
    Valued,
    OptionalFields<{ display_name: string; belongs_to_ref: string }> {}

/** A MAC address. */
export interface MacAddress extends StandardObservable<'mac-addr'>, Valued {}

/** An autonomous system, identified by number. */
export interface AutonomousSystem
  extends
    StandardObservable<'autonomous-system'>,
    OptionalFields<{ number: number; name: string; rir: string }> {}

/** A binary, or where to get it. */
export interface Artifact
  extends
    StandardObservable<'artifact'>,
    OptionalFields<{
      mime_type: string
      payload_bin: string
      url: string
      hashes: RawHashes
      encryption_algorithm: string
      decryption_key: string
    }> {}

/** A file system directory. */
export interface Directory
  extends
    StandardObservable<'directory'>,
    OptionalFields<{
      path: string
      path_enc: string
      ctime: string
      mtime: string
      atime: string
      contains_refs: readonly string[]
    }> {}

/** An email. Its addresses are references. */
export interface EmailMessage
  extends
    StandardObservable<'email-message'>,
    OptionalFields<{
      is_multipart: boolean
      date: string
      content_type: string
      from_ref: string
      sender_ref: string
      to_refs: readonly string[]
      cc_refs: readonly string[]
      bcc_refs: readonly string[]
      message_id: string
      subject: string
      received_lines: readonly string[]
      body: string
      body_multipart: readonly object[]
      raw_email_ref: string
    }> {}

/** OpenCTI calls it `StixFile`. */
export interface File
  extends
    StandardObservable<'file'>,
    OptionalFields<{
      hashes: RawHashes
      size: number
      name: string
      name_enc: string
      magic_number_hex: string
      mime_type: string
      ctime: string
      mtime: string
      atime: string
      parent_directory_ref: string
      contains_refs: readonly string[]
      content_ref: string
    }> {}

/** A mutex. Some malware uses one to run only once. */
export interface Mutex extends StandardObservable<'mutex'>, OptionalFields<{ name: string }> {}

/** Traffic between two endpoints, which are references. */
export interface NetworkTraffic
  extends
    StandardObservable<'network-traffic'>,
    OptionalFields<{
      start: string
      end: string
      is_active: boolean
      src_ref: string
      dst_ref: string
      src_port: number
      dst_port: number
      protocols: readonly string[]
      src_byte_count: number
      dst_byte_count: number
      src_packets: number
      dst_packets: number
      ipfix: object
      src_payload_ref: string
      dst_payload_ref: string
      encapsulates_refs: readonly string[]
      encapsulated_by_ref: string
    }> {}

/** A process. */
export interface Process
  extends
    StandardObservable<'process'>,
    OptionalFields<{
      is_hidden: boolean
      pid: number
      created_time: string
      cwd: string
      command_line: string
      environment_variables: object
      opened_connection_refs: readonly string[]
      creator_user_ref: string
      image_ref: string
      parent_ref: string
      child_refs: readonly string[]
    }> {}

/** A piece of software. */
export interface Software
  extends
    StandardObservable<'software'>,
    OptionalFields<{
      name: string
      cpe: string
      swid: string
      languages: readonly string[]
      vendor: string
      version: string
    }> {}

/** A user account. */
export interface UserAccount
  extends
    StandardObservable<'user-account'>,
    OptionalFields<{
      user_id: string
      credential: string
      account_login: string
      account_type: string
      display_name: string
      is_service_account: boolean
      is_privileged: boolean
      can_escalate_privs: boolean
      is_disabled: boolean
      account_created: string
      account_expires: string
      credential_last_changed: string
      account_first_login: string
      account_last_login: string
    }> {}

/** A Windows registry key with its values. */
export interface WindowsRegistryKey
  extends
    StandardObservable<'windows-registry-key'>,
    OptionalFields<{
      key: string
      values: readonly OptionalFields<{ name: string; data: string; data_type: string }>[]
      modified_time: string
      creator_user_ref: string
      number_of_subkeys: number
    }> {}

/** A certificate. */
export interface X509Certificate
  extends
    StandardObservable<'x509-certificate'>,
    OptionalFields<{
      is_self_signed: boolean
      hashes: RawHashes
      version: string
      serial_number: string
      signature_algorithm: string
      issuer: string
      validity_not_before: string
      validity_not_after: string
      subject: string
      subject_public_key_algorithm: string
      subject_public_key_modulus: string
      subject_public_key_exponent: number
      x509_v3_extensions: object
    }> {}

/** A host name. */
export interface Hostname extends CustomObservable<'hostname'>, Valued {}
/** Some text. */
export interface Text extends CustomObservable<'text'>, Valued {}
/** The user agent of an HTTP client. */
export interface UserAgent extends CustomObservable<'user-agent'>, Valued {}
/** A wallet address. */
export interface CryptocurrencyWallet extends CustomObservable<'cryptocurrency-wallet'>, Valued {}
/** A cryptographic key. */
export interface CryptographicKey extends CustomObservable<'cryptographic-key'>, Valued {}
/** A credential. Its value is a real secret. */
export interface Credential extends CustomObservable<'credential'>, Valued {}
/** A parcel tracking number. */
export interface TrackingNumber extends CustomObservable<'tracking-number'>, Valued {}
/** A phone number. */
export interface PhoneNumber extends CustomObservable<'phone-number'>, Valued {}

/** An IMEI (device number). */
export interface Imei extends CustomObservable<'imei'>, Valued {}
/** An ICCID (SIM card number). */
export interface Iccid extends CustomObservable<'iccid'>, Valued {}
/** An IMSI (subscriber number). */
export interface Imsi extends CustomObservable<'imsi'>, Valued {}

/** A prompt for an AI model. */
export interface AiPrompt extends CustomObservable<'ai-prompt'>, Valued {}

/** A bank account. */
export interface BankAccount
  extends
    CustomObservable<'bank-account'>,
    OptionalFields<{ iban: string; bic: string; account_number: string }> {}

/** A payment card. Its number is a real secret. */
export interface PaymentCard
  extends
    CustomObservable<'payment-card'>,
    OptionalFields<{ card_number: string; expiration_date: string; cvv: number; holder_name: string }> {}

/** A post, article, or other media content. */
export interface MediaContent
  extends
    CustomObservable<'media-content'>,
    OptionalFields<{
      title: string
      content: string
      media_category: string
      url: string
      publication_date: string
    }> {}

/** An online persona. */
export interface Persona
  extends CustomObservable<'persona'>, OptionalFields<{ persona_name: string; persona_type: string }> {}

/** An SSH key. */
export interface SshKey
  extends
    CustomObservable<'ssh-key'>,
    OptionalFields<{
      key_type: string
      public_key: string
      fingerprint_sha256: string
      fingerprint_md5: string
      key_length: string
      comment: string
      created: string
      expiration_date: string
    }> {}

/** A Windows registry value object. */
export interface WindowsRegistryValue
  extends
    CustomObservable<'windows-registry-value-type'>,
    OptionalFields<{ name: string; data: string; data_type: string }> {}

/** An email MIME part object. */
export interface EmailMimePart
  extends
    CustomObservable<'email-mime-part-type'>,
    OptionalFields<{
      content_type: string
      content_disposition: string
      body: string
      body_raw_ref: string
    }> {}

/** Objects that can be observed on a system or network. */
export type ObservableObject =
  | AiPrompt
  | Artifact
  | AutonomousSystem
  | BankAccount
  | Credential
  | CryptocurrencyWallet
  | CryptographicKey
  | Directory
  | DomainName
  | EmailAddress
  | EmailMessage
  | EmailMimePart
  | File
  | Hostname
  | Iccid
  | Imei
  | Imsi
  | IPv4Address
  | IPv6Address
  | MacAddress
  | MediaContent
  | Mutex
  | NetworkTraffic
  | PaymentCard
  | Persona
  | PhoneNumber
  | Process
  | Software
  | SshKey
  | Text
  | TrackingNumber
  | Url
  | UserAccount
  | UserAgent
  | WindowsRegistryKey
  | WindowsRegistryValue
  | X509Certificate
