import { tlpMarkingIds } from '../../stix/read/tlp.ts'
import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'
import { sampleName, sampleValues, type SampleValues } from './sample-values.ts'

/** STIX types {@link buildObservable} supports, including OpenCTI-only ones. */
export type ObservableKind = keyof typeof contents

/** Identifying content of each observable. The objects it references need not exist. */
const contents = {
  'ipv4-addr': ({ ipv4 }: SampleValues) => ({ value: ipv4 }),
  'ipv6-addr': ({ ipv6 }: SampleValues) => ({ value: ipv6 }),
  'domain-name': ({ domain }: SampleValues) => ({ value: domain }),
  url: ({ url }: SampleValues) => ({ value: url }),
  'email-addr': ({ email, word }: SampleValues) => ({ value: email, display_name: word }),
  'mac-addr': ({ mac }: SampleValues) => ({ value: mac }),
  file: ({ md5, sha1, sha256, word }: SampleValues) => ({
    hashes: { MD5: md5, 'SHA-1': sha1, 'SHA-256': sha256 },
    size: 4096,
    name: `${word}.dll`,
    mime_type: 'application/x-dosexec',
  }),
  artifact: ({ sha256, word }: SampleValues) => ({
    mime_type: 'text/plain',
    payload_bin: Buffer.from(`harmless ${word}`).toString('base64'),
    hashes: { 'SHA-256': sha256 },
  }),
  'autonomous-system': ({ word }: SampleValues, seed: number) => ({
    number: 64_496 + (seed % 16),
    name: `AS ${word}`,
  }),
  directory: ({ word }: SampleValues) => ({ path: `C:\\ProgramData\\${word}` }),
  'email-message': ({ word, domain }: SampleValues, seed: number) => ({
    is_multipart: false,
    subject: `Your invoice from ${word}`,
    date: dateOf(seed),
    message_id: `<${seed}@${domain}>`,
    body: 'Please see the attached invoice.',
  }),
  mutex: ({ md5 }: SampleValues) => ({ name: `Global\\${md5.slice(0, 16)}` }),
  'network-traffic': (_values: SampleValues, seed: number) => ({
    src_port: 49_152 + (seed % 10_000),
    dst_port: 443,
    protocols: ['tcp', 'tls'],
    is_active: false,
  }),
  process: ({ word }: SampleValues, seed: number) => ({
    pid: 1000 + seed,
    command_line: `rundll32.exe ${word}.dll,Start`,
  }),
  software: ({ word }: SampleValues, seed: number) => ({
    name: `${word} viewer`,
    vendor: `${word} software`,
    version: `1.${seed}.0`,
    cpe: `cpe:2.3:a:${word}:viewer:1.${seed}.0:*:*:*:*:*:*:*`,
  }),
  'user-account': ({ word }: SampleValues, seed: number) => ({
    user_id: `S-1-5-21-1-2-3-${1000 + seed}`,
    account_login: word,
    account_type: 'windows-domain',
  }),
  'windows-registry-key': ({ word }: SampleValues) => ({
    key: `HKEY_LOCAL_MACHINE\\Software\\Microsoft\\Windows\\CurrentVersion\\Run\\${word}`,
    values: [{ name: word, data: `C:\\ProgramData\\${word}\\${word}.exe`, data_type: 'REG_SZ' }],
  }),
  'x509-certificate': ({ domain, sha1, sha256 }: SampleValues, seed: number) => ({
    is_self_signed: true,
    hashes: { 'SHA-1': sha1, 'SHA-256': sha256 },
    serial_number: sha1.slice(0, 18),
    issuer: `CN=${domain}`,
    subject: `CN=${domain}`,
    validity_not_before: dateOf(seed),
    validity_not_after: dateOf(seed, 90),
  }),
  hostname: ({ domain }: SampleValues) => ({ value: `host.${domain}` }),
  text: ({ word }: SampleValues, seed: number) => ({ value: `a note by ${word}, number ${seed}` }),
  'user-agent': ({ word }: SampleValues, seed: number) => ({ value: `${word}/${seed}.0 (compatible)` }),
  'cryptocurrency-wallet': ({ sha256 }: SampleValues) => ({ value: `bc1q${sha256.slice(0, 38)}` }),
  'cryptographic-key': ({ sha256 }: SampleValues) => ({ value: sha256 }),
  'bank-account': ({ word }: SampleValues, seed: number) => ({
    iban: `XX00EXAM${String(seed).padStart(12, '0')}`,
    bic: 'EXAMXXXX',
    account_number: `${word}-${seed}`,
  }),
  'payment-card': ({ word }: SampleValues, seed: number) => ({
    card_number: `0000 0000 0000 ${String(seed % 10_000).padStart(4, '0')}`,
    holder_name: word,
    expiration_date: dateOf(seed, 365),
  }),
  'phone-number': (_values: SampleValues, seed: number) => ({
    value: `+1-202-555-01${String(seed % 100).padStart(2, '0')}`,
  }),
  credential: ({ word }: SampleValues, seed: number) => ({ value: `${word}:not-a-password-${seed}` }),
  'tracking-number': (_values: SampleValues, seed: number) => ({
    value: `EX${String(seed).padStart(9, '0')}XX`,
  }),
  'media-content': ({ url, word }: SampleValues) => ({
    title: `A post by ${word}`,
    content: 'An invented post.',
    media_category: 'social',
    url,
  }),
  persona: ({ word }: SampleValues) => ({ persona_name: word, persona_type: 'threat-actor' }),
  'ssh-key': ({ sha256, md5 }: SampleValues) => ({
    key_type: 'ed25519',
    fingerprint_sha256: sha256,
    fingerprint_md5: md5,
    key_length: '256',
  }),
  imei: (_values: SampleValues, seed: number) => ({ value: String(seed).padStart(15, '0') }),
  iccid: (_values: SampleValues, seed: number) => ({ value: String(seed).padStart(19, '0') }),
  imsi: (_values: SampleValues, seed: number) => ({ value: `001010${String(seed).padStart(9, '0')}` }),
}

/** Every kind {@link buildObservable} supports. */
export const observableKinds = Object.keys(contents) as ObservableKind[]

/**
 * Builds an observable. Labels, score, description, and author are where the platform keeps them: in the
 * observable extension for STIX observables, at the top level for OpenCTI-only ones.
 *
 * @example
 * ```ts
 * import { buildObservable } from 'opencti-stream-connector/testing'
 *
 * const file = buildObservable('file', { seed: 7, labels: ['packed'] })
 * ```
 */
export function buildObservable<Kind extends ObservableKind>(
  kind: Kind,
  options: BuildOptions = {},
): BuiltObject<Kind> {
  const seed = seedOf(options)
  return buildObject<Kind>(
    kind,
    {
      ...contents[kind](sampleValues(seed), seed),
      labels: ['botnet'],
      description: `An invented observable of ${sampleName(seed)}.`,
      object_marking_refs: [tlpMarkingIds['TLP:CLEAR']],
      x_opencti_score: 60,
    },
    options,
  )
}
