import { type PlatformFeatures } from '../platform-profile.ts'

/** Fields of each kind of object, in addition to those of its family. */
type FieldTable = Readonly<Record<string, string>>

const named = 'name: String description: String'
const aliased = `${named} aliases: [String]`

const identities: FieldTable = {
  Individual: 'x_opencti_firstname: String x_opencti_lastname: String',
  Organization: 'x_opencti_organization_type: String x_opencti_score: Int',
  Sector: '',
  SecurityPlatform: 'security_platform_type: String',
  System: '',
}

const containers: FieldTable = {
  Feedback: named,
  Grouping: `${named} context: String`,
  Note: 'attribute_abstract: String content: String note_types: [String]',
  ObservedData: 'first_observed: DateTime last_observed: DateTime number_observed: Int',
  Opinion: 'opinion: String explanation: String',
  Report: `${named} content: String report_types: [String] published: DateTime x_opencti_reliability: String`,
}

const cases: FieldTable = { CaseIncident: named, CaseRfi: named, CaseRft: named }

const threatActors: FieldTable = { ThreatActorGroup: aliased, ThreatActorIndividual: aliased }

const others: FieldTable = {
  AdministrativeArea: named,
  AttackPattern: `${aliased} x_mitre_id: String`,
  Campaign: aliased,
  Channel: aliased,
  City: named,
  Country: named,
  CourseOfAction: named,
  DataComponent: named,
  DataSource: named,
  Event: aliased,
  Incident: aliased,
  Indicator:
    `${named} pattern_type: String pattern_version: String pattern: String indicator_types: [String] ` +
    'valid_from: DateTime valid_until: DateTime x_opencti_score: Int x_opencti_detection: Boolean ' +
    'x_opencti_main_observable_type: String x_opencti_observable_values: [ObservableValue] x_mitre_platforms: [String] ' +
    'observables(first: Int): StixCyberObservableConnection killChainPhases: [KillChainPhase!]',
  Infrastructure: aliased,
  IntrusionSet: aliased,
  Language: aliased,
  Malware: `${aliased} malware_types: [String] is_family: Boolean`,
  MalwareAnalysis: 'product: String result: String',
  Narrative: aliased,
  Position: named,
  Region: named,
  Tool: aliased,
  Unknown: named,
  Vulnerability: named,
}

const value = 'value: String'
const hashes = 'hashes: [Hash]'
const times = 'ctime: DateTime mtime: DateTime atime: DateTime'

const observables: FieldTable = {
  AIPrompt: value,
  Artifact: `mime_type: String payload_bin: String url: String encryption_algorithm: String decryption_key: String ${hashes}`,
  AutonomousSystem: 'number: Int name: String rir: String',
  BankAccount: 'iban: String bic: String account_number: String',
  Credential: value,
  CryptocurrencyWallet: value,
  CryptographicKey: value,
  Directory: `path: String path_enc: String ${times}`,
  DomainName: value,
  EmailAddr: `${value} display_name: String`,
  EmailMessage:
    'is_multipart: Boolean attribute_date: DateTime content_type: String message_id: String subject: String ' +
    'received_lines: [String] body: String',
  Hostname: value,
  ICCID: value,
  IMEI: value,
  IMSI: value,
  IPv4Addr: value,
  IPv6Addr: value,
  MacAddr: value,
  MediaContent: 'title: String content: String media_category: String url: String publication_date: DateTime',
  Mutex: 'name: String',
  NetworkTraffic:
    'extensions: String start: DateTime end: DateTime is_active: Boolean src_port: Int dst_port: Int ' +
    'protocols: [String] src_byte_count: Int dst_byte_count: Int src_packets: Int dst_packets: Int',
  PaymentCard: 'card_number: String expiration_date: DateTime cvv: Int holder_name: String',
  Persona: 'persona_name: String persona_type: String',
  PhoneNumber: value,
  Process:
    'extensions: String is_hidden: Boolean pid: Int created_time: DateTime cwd: String command_line: String ' +
    'environment_variables: [String]',
  SSHKey:
    'key_type: String public_key: String fingerprint_sha256: String fingerprint_md5: String key_length: Int ' +
    'expiration_date: DateTime comment: String created: DateTime',
  Software:
    'name: String cpe: String swid: String languages: [String] vendor: String version: String x_opencti_product: String',
  StixFile:
    `extensions: String size: Int name: String name_enc: String magic_number_hex: String mime_type: String ${times} ` +
    `x_opencti_additional_names: [String] ${hashes}`,
  Text: value,
  TrackingNumber: value,
  Url: value,
  UserAccount:
    'extensions: String user_id: String credential: String account_login: String account_type: String ' +
    'display_name: String is_service_account: Boolean is_privileged: Boolean can_escalate_privs: Boolean ' +
    'is_disabled: Boolean account_created: DateTime account_expires: DateTime credential_last_changed: DateTime ' +
    'account_first_login: DateTime account_last_login: DateTime',
  UserAgent: value,
  WindowsRegistryKey: 'attribute_key: String modified_time: DateTime number_of_subkeys: Int',
  WindowsRegistryValueType: 'name: String data: String data_type: String',
  X509Certificate:
    'is_self_signed: Boolean version: String serial_number: String signature_algorithm: String issuer: String ' +
    'subject: String subject_public_key_algorithm: String subject_public_key_modulus: String ' +
    'subject_public_key_exponent: Int validity_not_before: DateTime validity_not_after: DateTime basic_constraints: String ' +
    'name_constraints: String policy_constraints: String key_usage: String extended_key_usage: String ' +
    'subject_key_identifier: String authority_key_identifier: String subject_alternative_name: String ' +
    'issuer_alternative_name: String subject_directory_attributes: String crl_distribution_points: String ' +
    'inhibit_any_policy: String private_key_usage_period_not_before: DateTime ' +
    `private_key_usage_period_not_after: DateTime certificate_policies: String policy_mappings: String ${hashes}`,
}

const metaObjects: FieldTable = {
  ExternalReference:
    'created: DateTime modified: DateTime source_name: String description: String url: String hash: String external_id: String',
  KillChainPhase:
    'created: DateTime modified: DateTime kill_chain_name: String phase_name: String x_opencti_order: Int',
  Label: 'value: String color: String',
  MarkingDefinition:
    'created: DateTime modified: DateTime definition_type: String definition: String x_opencti_order: Int! x_opencti_color: String',
}

const lists: Readonly<Record<string, string>> = {
  externalReferences: 'ExternalReference',
  identities: 'Identity',
  indicators: 'Indicator',
  killChainPhases: 'KillChainPhase',
  labels: 'Label',
  markingDefinitions: 'MarkingDefinition',
  reports: 'Report',
  stixCyberObservables: 'StixCyberObservable',
}

const page = 'first: Int, after: ID'
const pageOf = (ordering: string) =>
  `${page}, orderBy: ${ordering}, orderMode: OrderingMode, filters: FilterGroup, search: String`

/** Object type names in the schema. */
export const knowledgeTypes: ReadonlySet<string> = new Set(
  [identities, containers, cases, threatActors, others, observables, metaObjects].flatMap((table) =>
    Object.keys(table),
  ),
)

/**
 * GraphQL schema of the knowledge connectors query, with the fields the Python client requests (OpenCTI
 * platform, config/schema/opencti.graphql; pycti, entities/).
 */
export function knowledgeDefinitions({ isSeven }: PlatformFeatures): string {
  const basic = 'id: ID! standard_id: String! entity_type: String! parent_types: [String]!'
  const stix =
    `${basic} representative: Representative! x_opencti_stix_ids: [String] is_inferred: Boolean! spec_version: String! ` +
    'created_at: DateTime! updated_at: DateTime!'
  const linked =
    'createdBy: Identity objectMarking: [MarkingDefinition!] objectOrganization: [Organization!] objectLabel: [Label!] ' +
    'externalReferences(first: Int): ExternalReferenceConnection creators: [Creator!] toStix: String'
  const core = `${stix} ${linked} importFiles(first: Int): FileConnection`
  const domain =
    `${core} revoked: Boolean! confidence: Int lang: String created: DateTime modified: DateTime status: Status ` +
    (isSeven ? 'customFieldValues: [CustomFieldValue!]' : '')
  const identity =
    `${domain} identity_class: String ${named} roles: [String] contact_information: String x_opencti_aliases: [String] ` +
    'x_opencti_reliability: String'
  const objects = `objects(${pageOf('StixObjectOrStixRelationshipsOrdering')}, types: [String], all: Boolean): StixObjectOrStixRelationshipConnection`
  const container = `${domain} ${objects}`
  const observable =
    `${core} observable_value: String! x_opencti_description: String x_opencti_score: Int ` +
    'indicators(first: Int): IndicatorConnection'
  const relationship =
    `${basic} representative: Representative! is_inferred: Boolean! spec_version: String! created_at: DateTime! ` +
    `updated_at: DateTime! ${linked} confidence: Int revoked: Boolean created: DateTime modified: DateTime description: String`
  const types = (table: FieldTable, parents: string, shared: string) =>
    Object.entries(table).map(
      ([name, own]) => `type ${name} implements ${parents} { ${merged(shared, own)} }`,
    )
  const ofCore = 'BasicObject & StixObject & StixCoreObject'
  const ofDomain = `${ofCore} & StixDomainObject`
  const all = [...knowledgeTypes, 'StixCoreRelationship', 'StixSightingRelationship']
  const listed = new Set(Object.values(lists))
  return `
extend type Query {
  ${Object.entries(lists)
    .map(
      ([field, type]) =>
        `${field}(${pageOf(orderingOf(field))}${hasTypes(field) ? ', types: [String]' : ''}${field === 'indicators' ? ', toStix: Boolean' : ''}): ${type}Connection`,
    )
    .join('\n  ')}
  ${[...listed].map((type) => `${fieldOf(type)}(id: String!): ${type}`).join('\n  ')}
  container(id: String!): Container
  stix(id: String!): String
  stixObjectOrStixRelationships(${pageOf('StixObjectOrStixRelationshipsOrdering')}, types: [String]): StixObjectOrStixRelationshipConnection
}
extend type Mutation {
  externalReferenceAdd(input: ExternalReferenceAddInput!): ExternalReference
  stixDomainObjectEdit(id: ID!): StixEditMutations
  stixCyberObservableEdit(id: ID!): StixEditMutations
  stixCoreRelationshipEdit(id: ID!): StixEditMutations
  stixSightingRelationshipEdit(id: ID!): StixEditMutations
}

scalar Upload
input FilterGroup { mode: FilterMode! filters: [Filter!]! filterGroups: [FilterGroup!]! }
input Filter { key: [String!]! values: [String]! operator: String mode: FilterMode }
${['stixObjectOrStixRelationships', ...Object.keys(lists)]
  .map((field) => `enum ${orderingOf(field)} { ${orderable} }`)
  .join('\n')}

input ExternalReferenceAddInput {
  stix_id: String x_opencti_stix_ids: [String] source_name: String! description: String url: String hash: String
  external_id: String created: DateTime modified: DateTime update: Boolean file: Upload fileMarkings: [String]
  files: [Upload] filesMarkings: [[String]] noTriggerImport: Boolean embedded: Boolean
}
input StixRefRelationshipAddInput { fromId: String toId: String relationship_type: String! }
type StixEditMutations { relationAdd(input: StixRefRelationshipAddInput!): StixRefRelationship }
type StixRefRelationship { id: ID! }

interface BasicObject { ${basic} }
interface BasicRelationship { ${basic} }
interface StixObject { ${stix} }
interface StixRelationship { ${basic} representative: Representative! }
interface StixCoreObject { ${core} }
interface StixDomainObject { ${domain} }
interface StixMetaObject { ${stix} }
interface StixCyberObservable { ${observable} }
interface Identity { ${identity} }
interface Container { ${container} }
interface Case { ${merged(container, named)} }
interface ThreatActor { ${merged(domain, aliased)} }
union StixObjectOrStixRelationship = ${all.join(' | ')}

${[
  ...types(identities, `${ofDomain} & Identity`, identity),
  ...types(containers, `${ofDomain} & Container`, container),
  ...types(cases, `${ofDomain} & Container & Case`, container),
  ...types(threatActors, `${ofDomain} & ThreatActor`, domain),
  ...types(others, ofDomain, domain),
  ...types(observables, `${ofCore} & StixCyberObservable`, observable),
  ...types(metaObjects, 'BasicObject & StixObject & StixMetaObject', `${stix} toStix: String`),
  ...types(
    {
      StixCoreRelationship: 'relationship_type: String start_time: DateTime stop_time: DateTime lang: String',
    },
    'BasicRelationship & StixRelationship',
    relationship,
  ),
  ...types(
    {
      StixSightingRelationship:
        'relationship_type: String first_seen: DateTime last_seen: DateTime attribute_count: Int x_opencti_negative: Boolean',
    },
    'BasicRelationship & StixRelationship',
    relationship,
  ),
].join('\n')}

${[...listed, 'StixObjectOrStixRelationship', 'File']
  .map(
    (type) =>
      `type ${type}Connection { pageInfo: PageInfo! edges: [${type}Edge!]! }\ntype ${type}Edge { cursor: String! node: ${type}! }`,
  )
  .join('\n')}
type Representative { main: String! secondary: String }
type Creator { id: ID! name: String! }
type Status { id: ID! template: StatusTemplate }
type StatusTemplate { id: ID! name: String! color: String! }
type Hash { algorithm: String! hash: String }
type ObservableValue { type: String! value: String hashes: [Hash] }
type File { id: ID! name: String! size: Float metaData: FileMetadata }
type FileMetadata { mimetype: String version: String }
type CustomFieldValue {
  field_id: ID! field_name: String! int_value: Int string_value: String boolean_value: Boolean date_value: DateTime
  select_value: String select_values: [String]
}
`
}

const orderable =
  'confidence created created_at definition definition_type entity_type external_id kill_chain_name modified name ' +
  'observable_value pattern_type phase_name published source_name updated_at url valid_from valid_until value x_opencti_order ' +
  'x_opencti_score'

function orderingOf(field: string): string {
  return `${field.slice(0, 1).toUpperCase()}${field.slice(1)}Ordering`
}

function hasTypes(field: string): boolean {
  return field === 'identities' || field === 'stixCyberObservables'
}

function fieldOf(type: string): string {
  return `${type.slice(0, 1).toLowerCase()}${type.slice(1)}`
}

/** Merges two field lists without duplicates. */
function merged(shared: string, own: string): string {
  const names = new Set(shared.match(/\b\w+(?=[(:])/g))
  const fresh = own
    .split(/ (?=\w+[(:])/)
    .filter((field) => field !== '' && !names.has(/^\w+/.exec(field)![0]))
  return `${shared} ${fresh.join(' ')}`
}
