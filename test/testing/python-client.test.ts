import { describe, expect, test } from 'vitest'
import {
  buildIdentity,
  buildIndicator,
  buildKnowledgeBase,
  buildObservable,
  buildReport,
  buildRelationship,
  type Simulator,
} from 'opencti-stream-connector/testing'
import { askGraphql } from './open-stream.ts'
import { startOnManualClock } from './start-on-manual-clock.ts'

// What the Python client asks beside the stream: its operations, and the fields that its entities read (pycti, entities/).
const reference = 'id standard_id entity_type source_name description url hash external_id created modified'
const shared = `id standard_id entity_type parent_types spec_version created_at updated_at creators { id name }
  createdBy { ... on Identity { id standard_id identity_class name objectLabel { id value color } }
    ... on Organization { x_opencti_organization_type } ... on Individual { x_opencti_firstname x_opencti_lastname } }
  objectOrganization { id standard_id name } objectMarking { id standard_id definition_type definition x_opencti_order x_opencti_color }
  objectLabel { id value color } externalReferences { edges { node { ${reference} } } }`
const domain = `${shared} revoked confidence created modified name description`
const hashes = 'hashes { algorithm hash }'
const properties = {
  identity: `${domain} identity_class x_opencti_aliases contact_information ... on SecurityPlatform { security_platform_type }`,
  indicator: `${domain} pattern_type pattern indicator_types valid_from valid_until x_opencti_score x_opencti_detection
    x_opencti_main_observable_type x_opencti_observable_values { type value ${hashes} }
    observables { edges { node { id entity_type observable_value } } } killChainPhases { id kill_chain_name phase_name }`,
  markingDefinition:
    'id standard_id entity_type parent_types definition_type definition x_opencti_order x_opencti_color created',
  report: `${domain} content report_types published objects(all: true) { edges { node { ... on BasicObject { id entity_type parent_types }
    ... on BasicRelationship { id entity_type } ... on StixObject { standard_id } ... on Indicator { name } ... on Malware { name }
    ... on StixCyberObservable { observable_value } ... on StixCoreRelationship { standard_id relationship_type } } } }`,
  stixCyberObservable: `${shared} observable_value x_opencti_description x_opencti_score indicators { edges { node { id pattern } } }
    ... on IPv4Addr { value } ... on StixFile { name size ${hashes} } ... on EmailMessage { attribute_date subject }
    ... on WindowsRegistryKey { attribute_key } ... on NetworkTraffic { src_port extensions } ... on Artifact { importFiles { edges { node { id name } } } }`,
}
const lists = {
  identity: 'identities',
  indicator: 'indicators',
  markingDefinition: 'markingDefinitions',
  report: 'reports',
  stixCyberObservable: 'stixCyberObservables',
} as const
type Kind = keyof typeof lists
interface Node {
  id: string
  standard_id: string
  [property: string]: unknown
}

async function read(simulator: Simulator, kind: Kind, id: string): Promise<Node | null> {
  const query = `query Read($id: String!) { ${kind}(id: $id) { ${properties[kind]} } }`
  const { data, errors } = await askGraphql(simulator, query, { id })
  expect(errors).toBeUndefined()
  return (data as unknown as Record<string, Node | null>)[kind]!
}

async function list(
  simulator: Simulator,
  kind: Kind,
  variables: Record<string, unknown> = {},
): Promise<Node[]> {
  const name = lists[kind]
  const ordering = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}Ordering`
  const types = kind === 'identity' || kind === 'stixCyberObservable'
  const query = `query List($filters: FilterGroup, $search: String, $first: Int, $after: ID, $orderBy: ${ordering}, $orderMode: OrderingMode${types ? ', $types: [String]' : ''}) {
    ${name}(filters: $filters, search: $search, first: $first, after: $after, orderBy: $orderBy, orderMode: $orderMode${types ? ', types: $types' : ''}) {
      edges { node { ${properties[kind]} } } pageInfo { startCursor endCursor hasNextPage hasPreviousPage globalCount } } }`
  const { data, errors } = await askGraphql(simulator, query, variables)
  expect(errors).toBeUndefined()
  const page = (data as unknown as Record<string, { edges: { node: Node }[] }>)[name]!
  return page.edges.map(({ node }) => node)
}

const where = (key: string, values: string[], more: object = {}) => ({
  mode: 'and',
  filters: [{ key, values, ...more }],
  filterGroups: [],
})

test('reads an indicator with its author, markings, labels and observables', async () => {
  const { simulator } = await startOnManualClock()
  const author = simulator.create(buildIdentity({ name: 'CERT Example' }))
  const observable = simulator.create(buildObservable('ipv4-addr'))
  const indicator = simulator.create(
    buildIndicator('ipv4', {
      created_by_ref: author.id,
      external_references: [{ source_name: 'feed', url: 'https://feed.example/1' }],
      kill_chain_phases: [{ kill_chain_name: 'lockheed', phase_name: 'delivery' }],
    }),
  )
  simulator.create(buildRelationship(indicator, 'based-on', observable))
  const node = await read(simulator, 'indicator', indicator.id)
  expect(node).toMatchObject({
    standard_id: indicator.id,
    entity_type: 'Indicator',
    pattern: indicator['pattern'],
    createdBy: { name: 'CERT Example', standard_id: author.id },
    objectMarking: [{ definition: expect.stringMatching(/^TLP:/) as string }],
    objectLabel: [{ value: 'botnet' }],
    externalReferences: { edges: [{ node: { source_name: 'feed', url: 'https://feed.example/1' } }] },
    observables: { edges: [{ node: { observable_value: observable['value'] } }] },
    x_opencti_observable_values: [{ type: 'IPv4-Addr' }],
    killChainPhases: [{ phase_name: 'delivery' }],
  })
  expect(await read(simulator, 'indicator', node!.id)).toEqual(node)
  expect(await read(simulator, 'indicator', observable.id)).toBeNull()
  expect(await read(simulator, 'stixCyberObservable', observable.id)).toMatchObject({
    value: observable['value'],
    indicators: { edges: [{ node: { id: node!.id } }] },
  })
})

test('reads a report with everything in it, and identities by their kind', async () => {
  const { simulator } = await startOnManualClock()
  const [organization, person] = ['organization', 'individual'].map((identity_class, index) =>
    simulator.create(buildIdentity({ seed: index + 1, identity_class })),
  )
  const indicator = simulator.create(buildIndicator('domain'))
  const observable = simulator.create(buildObservable('file'))
  const relation = simulator.create(buildRelationship(indicator, 'based-on', observable))
  const report = simulator.create(buildReport([indicator, observable, relation]))
  const node = await read(simulator, 'report', report.id)
  const { edges } = node!['objects'] as { edges: { node: Node }[] }
  expect(edges.map((edge) => edge.node)).toMatchObject([
    { entity_type: 'Indicator', name: indicator['name'] },
    { entity_type: 'StixFile', observable_value: expect.any(String) as string },
    { entity_type: 'based-on', relationship_type: 'based-on', standard_id: relation.id },
  ])
  const organizations = await list(simulator, 'identity', { types: ['Organization'] })
  expect(organizations.map(({ standard_id }) => standard_id)).toEqual([organization!.id])
  const people = await list(simulator, 'identity', { filters: where('entity_type', ['Individual']) })
  expect(people.map(({ standard_id }) => standard_id)).toEqual([person!.id])
})

describe('lists', () => {
  test.each(['6.x', '7.x-new'] as const)(
    'return everything of a platform completely: on %s',
    async (profile) => {
      const { simulator } = await startOnManualClock({ profile })
      simulator.load(buildKnowledgeBase({ size: 400 }))
      for (const kind of Object.keys(lists) as Kind[]) {
        const nodes = await list(simulator, kind, { first: 5000 })
        expect(nodes.length, kind).toBeGreaterThan(0)
        for (const { standard_id } of nodes) expect(simulator.entity(standard_id)).toBeDefined()
      }
    },
  )

  test('filter, in the requested order', async () => {
    const { simulator } = await startOnManualClock()
    const indicators = [10, 60, 90].map((x_opencti_score, index) =>
      simulator.create(buildIndicator('domain', { seed: index + 1, x_opencti_score })),
    )
    const scores = async (filters: object, more: object = {}) =>
      (await list(simulator, 'indicator', { filters, orderBy: 'x_opencti_score', ...more })).map(
        (node) => node['x_opencti_score'],
      )
    const pattern = String(indicators[1]!['pattern'])
    expect(await scores(where('pattern', [pattern]))).toEqual([60])
    expect(await scores(where('x_opencti_score', ['10'], { operator: 'gt' }), { orderMode: 'desc' })).toEqual(
      [90, 60],
    )
    expect(
      await scores(where('name', [String(indicators[0]!['name']).slice(0, 4)], { operator: 'starts_with' })),
    ).toContain(10)
    expect(await scores(where('ids', [indicators[2]!.id, 'indicator--none']))).toEqual([90])
    expect(await scores(where('pattern', [pattern], { operator: 'not_eq' }))).toEqual([10, 90])
    expect(await scores(where('objectLabel', ['BotNet']))).toEqual([10, 60, 90])
    expect(await scores(where('createdBy', [], { operator: 'nil' }))).toEqual([10, 60, 90])
    const either = {
      mode: 'or',
      filters: [],
      filterGroups: [where('x_opencti_score', ['10']), where('x_opencti_score', ['90'])],
    }
    expect(await scores(either)).toEqual([10, 90])
    expect(
      await list(simulator, 'markingDefinition', { filters: where('definition', ['TLP:RED']) }),
    ).toMatchObject([{ definition: 'TLP:RED', x_opencti_order: 5 }])
    const [found] = await list(simulator, 'indicator', {
      search: String(indicators[1]!['name']).toUpperCase(),
    })
    expect(found!.standard_id).toBe(indicators[1]!.id)
  })

  test('contain nothing that the user may not read', async () => {
    const { simulator } = await startOnManualClock()
    const indicator = simulator.create(buildIndicator('domain'))
    const user = simulator.users.add({
      capabilities: ['APIACCESS_USETOKEN', 'KNOWLEDGE'],
      canSee: () => false,
    })
    const query = '{ indicators { edges { node { id } } pageInfo { globalCount } } }'
    const { data } = await askGraphql(simulator, query, {}, user.token)
    expect(data).toEqual({ indicators: { edges: [], pageInfo: { globalCount: 0 } } })
    expect(await read(simulator, 'indicator', indicator.id)).not.toBeNull()
  })
})

test('creates an external reference once and adds it to objects of each kind', async () => {
  const { simulator } = await startOnManualClock()
  const { token } = simulator.admin
  const add = async (input: object) => {
    const query = `mutation ExternalReferenceAdd($input: ExternalReferenceAddInput!) { externalReferenceAdd(input: $input) { ${reference} parent_types } }`
    const more = {
      stix_id: null,
      description: null,
      files: null,
      filesMarkings: null,
      noTriggerImport: null,
      embedded: null,
    }
    const { data } = await askGraphql(
      simulator,
      query,
      { input: { ...more, ...input, update: false } },
      token,
    )
    return (data as unknown as { externalReferenceAdd: Node }).externalReferenceAdd
  }
  const created = await add({ source_name: 'My SIEM', url: 'https://siem.example/1', external_id: '1' })
  expect(await add({ source_name: 'Another name', url: 'https://siem.example/1' })).toEqual(created)
  for (const [edit, kind, object] of [
    ['stixDomainObjectEdit', 'indicator', simulator.create(buildIndicator('domain'))],
    ['stixCyberObservableEdit', 'stixCyberObservable', simulator.create(buildObservable('url'))],
  ] as const) {
    const query = `mutation Edit($id: ID!, $input: StixRefRelationshipAddInput!) { ${edit}(id: $id) { relationAdd(input: $input) { id } } }`
    const input = { toId: created.id, relationship_type: 'external-reference' }
    expect((await askGraphql(simulator, query, { id: object.id, input }, token)).errors).toBeUndefined()
    expect(await read(simulator, kind, object.id)).toMatchObject({
      externalReferences: { edges: [{ node: { id: created.id, url: 'https://siem.example/1' } }] },
    })
  }
})
