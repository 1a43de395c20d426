import { type EntityBase, type ExternalReference, type OptionalFields } from './entity-base.ts'

/** Hashes as they stand in a document; ask `hashesOf`, which knows the spellings of the names. */
type RawHashes = Readonly<Record<string, string>>

/**
 * An observable of the STIX standard: labels, score, description and author are in the observable extension
 * (OpenCTI platform, database/stix-2-1-converter.ts, `buildStixCyberObservable`).
 */
interface StandardObservable<Type extends string> extends EntityBase<Type> {
  readonly defanged?: boolean | undefined
}

/** An observable that only OpenCTI has: labels, score, description and author are at the top (same file). */
interface CustomObservable<Type extends string>
  extends
    EntityBase<Type>,
    OptionalFields<{
      defanged: boolean
      description: string
      score: number
      external_references: readonly ExternalReference[]
    }> {}

/** An observable whose one property is its value. */
interface Valued {
  readonly value: string
}

export interface IPv4Address
  extends
    StandardObservable<'ipv4-addr'>,
    Valued,
    OptionalFields<{ resolves_to_refs: readonly string[]; belongs_to_refs: readonly string[] }> {}

export interface IPv6Address
  extends
    StandardObservable<'ipv6-addr'>,
    Valued,
    OptionalFields<{ resolves_to_refs: readonly string[]; belongs_to_refs: readonly string[] }> {}

export interface DomainName
  extends
    StandardObservable<'domain-name'>,
    Valued,
    OptionalFields<{ resolves_to_refs: readonly string[] }> {}

export interface Url extends StandardObservable<'url'>, Valued, OptionalFields<{ score: number }> {}

export interface EmailAddress
  extends
    StandardObservable<'email-addr'>,
    Valued,
    OptionalFields<{ display_name: string; belongs_to_ref: string }> {}

export interface MacAddress extends StandardObservable<'mac-addr'>, Valued {}

export interface AutonomousSystem
  extends
    StandardObservable<'autonomous-system'>,
    OptionalFields<{ number: number; name: string; rir: string }> {}

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

export interface Mutex extends StandardObservable<'mutex'>, OptionalFields<{ name: string }> {}

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

export interface Hostname extends CustomObservable<'hostname'>, Valued {}
export interface Text extends CustomObservable<'text'>, Valued {}
export interface UserAgent extends CustomObservable<'user-agent'>, Valued {}
export interface CryptocurrencyWallet extends CustomObservable<'cryptocurrency-wallet'>, Valued {}
export interface CryptographicKey extends CustomObservable<'cryptographic-key'>, Valued {}
export interface Credential extends CustomObservable<'credential'>, Valued {}
export interface TrackingNumber extends CustomObservable<'tracking-number'>, Valued {}
export interface PhoneNumber extends CustomObservable<'phone-number'>, Valued {}

/** The numbers of a phone and of its card (late 6.x). */
export interface PhoneIdentifier extends CustomObservable<'imei' | 'iccid' | 'imsi'>, Valued {}

export interface BankAccount
  extends
    CustomObservable<'bank-account'>,
    OptionalFields<{ iban: string; bic: string; account_number: string }> {}

export interface PaymentCard
  extends
    CustomObservable<'payment-card'>,
    OptionalFields<{ card_number: string; expiration_date: string; cvv: number; holder_name: string }> {}

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

export interface Persona
  extends CustomObservable<'persona'>, OptionalFields<{ persona_name: string; persona_type: string }> {}

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

export interface WindowsRegistryValue
  extends
    CustomObservable<'windows-registry-value-type'>,
    OptionalFields<{ name: string; data: string; data_type: string }> {}

export interface EmailMimePart
  extends
    CustomObservable<'email-mime-part-type'>,
    OptionalFields<{
      content_type: string
      content_disposition: string
      body: string
      body_raw_ref: string
    }> {}

/** Every object that can be seen on a system or network. */
export type ObservableObject =
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
  | IPv4Address
  | IPv6Address
  | MacAddress
  | MediaContent
  | Mutex
  | NetworkTraffic
  | PaymentCard
  | Persona
  | PhoneIdentifier
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
