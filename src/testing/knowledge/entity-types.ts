import { type StixObject } from './stix-object.ts'

/** STIX observables that keep labels, score, description, and author in the observable extension. */
const standardObservables = new Map([
  ['artifact', 'Artifact'],
  ['autonomous-system', 'Autonomous-System'],
  ['directory', 'Directory'],
  ['domain-name', 'Domain-Name'],
  ['email-addr', 'Email-Addr'],
  ['email-message', 'Email-Message'],
  ['file', 'StixFile'],
  ['ipv4-addr', 'IPv4-Addr'],
  ['ipv6-addr', 'IPv6-Addr'],
  ['mac-addr', 'Mac-Addr'],
  ['mutex', 'Mutex'],
  ['network-traffic', 'Network-Traffic'],
  ['process', 'Process'],
  ['software', 'Software'],
  ['url', 'Url'],
  ['user-account', 'User-Account'],
  ['windows-registry-key', 'Windows-Registry-Key'],
  ['x509-certificate', 'X509-Certificate'],
])

/** OpenCTI-only observables; they keep labels, score, and so on at the top level. */
const openCtiObservables = new Map([
  ['bank-account', 'Bank-Account'],
  ['credential', 'Credential'],
  ['cryptocurrency-wallet', 'Cryptocurrency-Wallet'],
  ['cryptographic-key', 'Cryptographic-Key'],
  ['hostname', 'Hostname'],
  ['iccid', 'ICCID'],
  ['imei', 'IMEI'],
  ['imsi', 'IMSI'],
  ['media-content', 'Media-Content'],
  ['payment-card', 'Payment-Card'],
  ['persona', 'Persona'],
  ['phone-number', 'Phone-Number'],
  ['ssh-key', 'SSH-Key'],
  ['text', 'Text'],
  ['tracking-number', 'Tracking-Number'],
  ['user-agent', 'User-Agent'],
])

/** Types whose OpenCTI name is not the capitalized STIX name. */
const otherNames = new Map([
  ['case-rfi', 'Case-Rfi'],
  ['case-rft', 'Case-Rft'],
  ['marking-definition', 'Marking-Definition'],
  ['sighting', 'stix-sighting-relationship'],
  ['x-mitre-data-component', 'Data-Component'],
  ['x-mitre-data-source', 'Data-Source'],
])

const identityClasses = new Map([
  ['individual', 'Individual'],
  ['class', 'Sector'],
  ['system', 'System'],
])

/** Standard STIX types, for which the OpenCTI extension is a `property-extension`. */
const standardTypes = new Set([
  ...standardObservables.keys(),
  ...(
    'attack-pattern campaign course-of-action grouping identity indicator infrastructure intrusion-set location ' +
    'malware malware-analysis marking-definition note observed-data opinion relationship report sighting threat-actor ' +
    'tool vulnerability'
  ).split(' '),
])

/** Whether this STIX type is a standard observable. */
export function isStandardObservable(type: string): boolean {
  return standardObservables.has(type)
}

/** Whether this type is an observable in STIX or OpenCTI. */
export function isObservable(type: string): boolean {
  return standardObservables.has(type) || openCtiObservables.has(type)
}

/** Whether this type is an OpenCTI-only observable. */
export function isOpenCtiObservable(type: string): boolean {
  return openCtiObservables.has(type)
}

/** Whether objects of this type have `object_refs`: reports, groupings, cases, notes. */
export function isContainer(type: string): boolean {
  return ['report', 'grouping', 'note', 'opinion', 'observed-data'].includes(type) || type.startsWith('case-')
}

/** Whether the object connects two others. */
export function isRelation(object: StixObject): boolean {
  return object.type === 'relationship' || object.type === 'sighting'
}

/** Kind of the OpenCTI extension on this type. */
export function extensionTypeOf(type: string): 'property-extension' | 'new-sdo' {
  return standardTypes.has(type) ? 'property-extension' : 'new-sdo'
}

/** OpenCTI type of a STIX object: `Indicator`, `StixFile`, `Organization`, `indicates`. */
export function openCtiTypeOf(object: StixObject): string {
  const { type } = object
  if (type === 'relationship') return String(object['relationship_type'] ?? 'related-to')
  if (type === 'identity') return identityClasses.get(String(object['identity_class'])) ?? 'Organization'
  if (type === 'threat-actor') {
    return object['resource_level'] === 'individual' ? 'Threat-Actor-Individual' : 'Threat-Actor-Group'
  }
  if (type === 'location') return locationTypeOf(object)
  const name = standardObservables.get(type) ?? openCtiObservables.get(type) ?? otherNames.get(type)
  if (name !== undefined) return name
  return type
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('-')
}

function locationTypeOf(object: StixObject): string {
  if (typeof object['x_opencti_location_type'] === 'string') return object['x_opencti_location_type']
  if (object['city'] !== undefined) return 'City'
  if (object['country'] !== undefined) return 'Country'
  if (object['region'] !== undefined) return 'Region'
  return object['latitude'] === undefined ? 'Region' : 'Position'
}

/** Naming properties, best first. */
const naming = (
  'name value subject path key source_name abstract user_id persona_name title iban card_number command_line ' +
  'fingerprint_sha256'
).split(' ')

/** Parent types of an object, widest first: `parent_types` in GraphQL. */
export function familyOf(object: StixObject): string[] {
  if (isRelation(object)) return ['basic-relationship', 'stix-relationship']
  if (metaTypes.has(object.type)) return ['Basic-Object', 'Stix-Object', 'Stix-Meta-Object']
  const core = ['Basic-Object', 'Stix-Object', 'Stix-Core-Object']
  if (isObservable(object.type)) return [...core, 'Stix-Cyber-Observable']
  const kind = isContainer(object.type) ? ['Container'] : object.type === 'identity' ? ['Identity'] : []
  return [...core, 'Stix-Domain-Object', ...kind]
}

const metaTypes = new Set(['external-reference', 'kill-chain-phase', 'label', 'marking-definition'])

/** Database index that stores objects of this kind (OpenCTI platform, database/utils.ts). */
export function databaseIndexOf(object: StixObject): string {
  if (object.type === 'sighting') return 'stix_sighting_relationships'
  if (object.type === 'relationship') return 'stix_core_relationships'
  if (isObservable(object.type)) return 'stix_cyber_observables'
  return metaTypes.has(object.type) ? 'stix_meta_objects' : 'stix_domain_objects'
}

/** Display name of an object: its name, value, pattern, or ends. */
export function representativeOf(object: StixObject): string {
  for (const property of naming) {
    const value = object[property]
    if (typeof value === 'string' && value !== '') return value
  }
  const hashes = object['hashes'] as Record<string, string> | undefined
  return (
    (hashes && Object.values(hashes)[0]) ?? String(object['phase_name'] ?? object['content'] ?? object.id)
  )
}
