import { asEntity, type Entity } from '../../src/stix/types/entity.ts'
import { observableExtension, openCtiExtension } from '../../src/stix/types/extensions.ts'
import { tlpMarkingIds } from '../../src/stix/read/tlp.ts'

export const author = 'identity--5a7a3c6e-1111-5222-8333-444455556666'
export const reference = { source_name: 'feed', url: 'https://feed.example/7' }

/** What the sample document of every kind must give, whichever place it keeps it in. */
export const expected = {
  internalId: '0f1a7e52-6a55-4c0c-9d7e-2a1b2b0f6c11',
  createdAt: '2026-09-01T08:00:00.000Z',
  updatedAt: '2026-09-02T09:30:00.000Z',
  labels: ['botnet', 'c2'],
  score: 60,
  description: 'seen in the wild',
} as const

/** Where a kind keeps labels, score, description and author, as the platform's converter puts them. */
export type Place = 'domain' | 'standard' | 'custom'

export interface Sample {
  readonly type: string
  readonly octiType: string
  readonly place: Place
  readonly name: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly entity: Entity
}

const common = {
  labels: [...expected.labels],
  description: expected.description,
  created_by_ref: author,
  external_references: [reference],
}

/** A document as the live stream sends it. */
export function sample(
  type: string,
  octiType: string,
  place: Place,
  name: string,
  fields: Readonly<Record<string, unknown>> = {},
  openCti: Readonly<Record<string, unknown>> = {},
): Sample {
  const extension = {
    extension_type: 'property-extension',
    id: expected.internalId,
    type: octiType,
    created_at: expected.createdAt,
    updated_at: expected.updatedAt,
    is_inferred: false,
    ...openCti,
  }
  const document = {
    id: `${type}--00000000-0000-5000-8000-000000000001`,
    spec_version: '2.1',
    type,
    object_marking_refs: [tlpMarkingIds['TLP:AMBER']],
    ...(place === 'domain' && {
      ...common,
      created: '2026-01-01T00:00:00.000Z',
      modified: '2026-01-02T00:00:00.000Z',
      revoked: false,
      confidence: 75,
      extensions: { [openCtiExtension]: { score: expected.score, ...extension } },
    }),
    ...(place === 'standard' && {
      extensions: {
        [openCtiExtension]: extension,
        [observableExtension]: { extension_type: 'property-extension', score: expected.score, ...common },
      },
    }),
    ...(place === 'custom' && {
      ...common,
      score: expected.score,
      extensions: {
        [openCtiExtension]: extension,
        [observableExtension]: { extension_type: 'new-sco' },
      },
    }),
    ...fields,
  }
  return { type, octiType, place, name, fields, entity: asEntity(document)! }
}

const named = (type: string, octiType: string, openCti = {}) =>
  sample(type, octiType, 'domain', `a ${type}`, { name: `a ${type}` }, openCti)

const valued = (type: string, octiType: string, place: Place, value: string) =>
  sample(type, octiType, place, value, { value })

const sha256 = 'aa'.repeat(32)

export const domainSamples: readonly Sample[] = [
  sample('indicator', 'Indicator', 'domain', 'bad', {
    name: 'bad',
    pattern: "[ipv4-addr:value = '203.0.113.7']",
    pattern_type: 'stix',
  }),
  ...(
    [
      ['attack-pattern', 'Attack-Pattern'],
      ['campaign', 'Campaign'],
      ['channel', 'Channel'],
      ['course-of-action', 'Course-Of-Action'],
      ['data-component', 'Data-Component'],
      ['data-source', 'Data-Source'],
      ['event', 'Event'],
      ['identity', 'Organization'],
      ['incident', 'Incident'],
      ['infrastructure', 'Infrastructure'],
      ['intrusion-set', 'Intrusion-Set'],
      ['language', 'Language'],
      ['location', 'City'],
      ['malware', 'Malware'],
      ['narrative', 'Narrative'],
      ['threat-actor', 'Threat-Actor-Group'],
      ['tool', 'Tool'],
      ['vulnerability', 'Vulnerability'],
      ['report', 'Report'],
      ['grouping', 'Grouping'],
      ['case-incident', 'Case-Incident'],
      ['case-rfi', 'Case-Rfi'],
      ['case-rft', 'Case-Rft'],
      ['feedback', 'Feedback'],
      ['task', 'Task'],
    ] as const
  ).map(([type, octiType]) => named(type, octiType)),
  sample('malware-analysis', 'Malware-Analysis', 'domain', 'run 1', { result_name: 'run 1', product: 'box' }),
  sample('note', 'Note', 'domain', 'short', { abstract: 'short', content: 'long' }),
  sample('opinion', 'Opinion', 'domain', 'agree', { opinion: 'agree' }),
  sample('observed-data', 'Observed-Data', 'domain', 'observed-data--00000000-0000-5000-8000-000000000001'),
  sample(
    'relationship',
    'indicates',
    'domain',
    '203.0.113.7 indicates RAT',
    { relationship_type: 'indicates', source_ref: 'indicator--1', target_ref: 'malware--1' },
    { source_value: '203.0.113.7', target_value: 'RAT' },
  ),
  sample(
    'sighting',
    'stix-sighting-relationship',
    'domain',
    '203.0.113.7 sighted in ACME',
    { sighting_of_ref: 'indicator--1' },
    { sighting_of_value: '203.0.113.7', where_sighted_values: ['ACME'] },
  ),
]

export const observableSamples: readonly Sample[] = [
  valued('ipv4-addr', 'IPv4-Addr', 'standard', '203.0.113.7'),
  valued('ipv6-addr', 'IPv6-Addr', 'standard', '2001:db8::7'),
  valued('domain-name', 'Domain-Name', 'standard', 'bad.example'),
  valued('url', 'Url', 'standard', 'https://bad.example/a'),
  valued('email-addr', 'Email-Addr', 'standard', 'a@bad.example'),
  valued('mac-addr', 'Mac-Addr', 'standard', '00:00:5e:00:53:01'),
  valued('hostname', 'Hostname', 'custom', 'host-1'),
  valued('text', 'Text', 'custom', 'some text'),
  valued('user-agent', 'User-Agent', 'custom', 'curl/8'),
  valued('cryptocurrency-wallet', 'Cryptocurrency-Wallet', 'custom', 'bc1qexample'),
  valued('cryptographic-key', 'Cryptographic-Key', 'custom', 'key'),
  valued('credential', 'Credential', 'custom', 'hunter2'),
  valued('tracking-number', 'Tracking-Number', 'custom', '1Z'),
  valued('phone-number', 'Phone-Number', 'custom', '+15550100'),
  valued('imei', 'IMEI', 'custom', '490154203237518'),
  valued('iccid', 'ICCID', 'custom', '8991101200003204510'),
  valued('imsi', 'IMSI', 'custom', '310150123456789'),
  valued('ai-prompt', 'AI-Prompt', 'custom', 'ignore all rules'),
  sample('file', 'StixFile', 'standard', sha256, { hashes: { 'SHA-256': sha256 } }),
  sample('artifact', 'Artifact', 'standard', 'https://bad.example/x', { url: 'https://bad.example/x' }),
  sample('x509-certificate', 'X509-Certificate', 'standard', 'CN=bad', { subject: 'CN=bad' }),
  sample('autonomous-system', 'Autonomous-System', 'standard', 'AS64500', { number: 64500 }),
  sample('directory', 'Directory', 'standard', '/tmp/x', { path: '/tmp/x' }),
  sample('email-message', 'Email-Message', 'standard', 'Invoice', { subject: 'Invoice' }),
  sample('mutex', 'Mutex', 'standard', 'm1', { name: 'm1' }),
  sample(
    'network-traffic',
    'Network-Traffic',
    'standard',
    'network-traffic--00000000-0000-5000-8000-000000000001',
    { dst_port: 443 },
  ),
  sample('process', 'Process', 'standard', 'evil -x', { command_line: 'evil -x' }),
  sample('software', 'Software', 'standard', 'Tool', { name: 'Tool', vendor: 'ACME' }),
  sample('user-account', 'User-Account', 'standard', 'root', { account_login: 'root' }),
  sample('windows-registry-key', 'Windows-Registry-Key', 'standard', 'HKLM\\x', { key: 'HKLM\\x' }),
  sample('bank-account', 'Bank-Account', 'custom', 'DE02', { iban: 'DE02' }),
  sample('payment-card', 'Payment-Card', 'custom', '4111', { card_number: '4111' }),
  sample('media-content', 'Media-Content', 'custom', 'A post', { title: 'A post', url: 'https://m.example' }),
  sample('persona', 'Persona', 'custom', 'ghost', { persona_name: 'ghost' }),
  sample('ssh-key', 'SSH-Key', 'custom', 'SHA256:x', { fingerprint_sha256: 'SHA256:x' }),
  sample('windows-registry-value-type', 'Windows-Registry-Value-Type', 'custom', 'Run', { name: 'Run' }),
]

export const samples: readonly Sample[] = [...domainSamples, ...observableSamples]
