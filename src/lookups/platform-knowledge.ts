import { type KyInstance } from 'ky'
import { z } from 'zod'
import { PlatformError } from '../errors/platform-error.ts'
import { kindOfStixType } from '../stix/types/observable-kinds.ts'
import { type Entity } from '../stix/types/entity.ts'
import { byEachId } from './by-each-id.ts'
import { filterByIds } from './filter-by-ids.ts'
import { GraphqlClient, type GraphqlClientOptions } from '../opencti/graphql.ts'

/**
 * Where to find an entity in the target, stored as an OpenCTI external reference. Set `url`, `external_id`,
 * or both.
 *
 * @example
 * ```ts
 * import { type EntityLink } from 'opencti-stream-connector'
 *
 * const linkTo = (id: string): EntityLink => ({ source_name: 'My SIEM', url: `https://siem.example.org/${id}`, external_id: id })
 * console.log(linkTo('7').url)
 * ```
 */
export interface EntityLink {
  /** Display name of the system. */
  readonly source_name: string
  /** Where a person can view the entity. */
  readonly url?: string | undefined
  /** Id of the entity in that system. */
  readonly external_id?: string | undefined
}

// One list covers entities and relationships of every kind. The filter `ids` matches internal, standard, and
// former STIX ids (OpenCTI platform, domain/stixObjectOrStixRelationship.ts and utils/filtering; pycti,
// opencti_stix_object_or_stix_relationship.py).
const listQuery = (name: string, more = '') =>
  `query ${name}($filters: FilterGroup, $first: Int) { stixObjectOrStixRelationships(filters: $filters, first: $first) { edges { node { ` +
  `... on StixObject { id standard_id x_opencti_stix_ids } ... on StixRelationship { id standard_id } ${more}} } pageInfo { hasNextPage } } }`
const existingQuery = listQuery('ExistingObjects')
/**
 * `toStix` equals the answer of the `stix` query, for each item of a list (OpenCTI platform,
 * resolvers/stixCoreObject.js and others).
 */
const statesQuery = listQuery(
  'PresentStates',
  ['StixCoreObject', 'StixCoreRelationship', 'StixSightingRelationship']
    .map((type) => `... on ${type} { toStix } `)
    .join(''),
)
/** The query of pycti's `get_stix_content` (OpenCTI platform, resolvers/stix.js). */
const stixQuery = 'query StixQuery($id: String!) { stix(id: $id) }'
const addReferenceMutation =
  'mutation ExternalReferenceAdd($input: ExternalReferenceAddInput!) { externalReferenceAdd(input: $input) { id } }'

const node = z.looseObject({
  id: z.string().nullish(),
  standard_id: z.string().nullish(),
  x_opencti_stix_ids: z.array(z.string().nullable()).nullish(),
  toStix: z.string().nullish(),
})
const existing = z.object({
  stixObjectOrStixRelationships: z.object({
    edges: z.array(z.object({ node: node.nullable() }).nullable()),
    pageInfo: z.object({ hasNextPage: z.boolean().nullish() }).nullish(),
  }),
})
const content = z.object({ stix: z.string().nullish() })
const added = z.object({ externalReferenceAdd: z.object({ id: z.string() }) })

/**
 * Maximum number of ids per query: the platform's default page size (OpenCTI platform,
 * `elasticsearch:default_pagination_result_size`).
 */
export const maxIdsPerQuestion = 500

/**
 * Reads the current state of platform knowledge, and writes the one thing we write: links. Each call sends
 * one request; see {@link GraphqlClient.request} for its errors.
 */
export class PlatformKnowledge {
  readonly #graphql: GraphqlClient

  /**
   * @param http from `createPlatformHttp`.
   * @param url base URL of the platform.
   */
  constructor(http: KyInstance, url: string, limits: Pick<GraphqlClientOptions, 'clock' | 'timeoutMs'> = {}) {
    this.#graphql = new GraphqlClient({ http, url, ...limits })
  }

  /**
   * Returns which of these exist and are visible to the token's user.
   *
   * @param ids internal or STIX ids, at most {@link maxIdsPerQuestion}.
   * @throws PlatformError also if the answer is incomplete, because missing ids would count as gone.
   */
  async existing(ids: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set()
    return new Set((await this.#list(existingQuery, ids, signal)).keys())
  }

  /**
   * Returns the current state of entities and relationships, as the stream would send them; `undefined` for
   * any that is not visible.
   *
   * @param ids internal or STIX ids. Pass a few at a time: each answer can be megabytes.
   */
  async stixOf(ids: readonly string[], signal?: AbortSignal): Promise<readonly (Entity | undefined)[]> {
    if (ids.length === 0) return []
    const found = await this.#list(statesQuery, ids, signal)
    const states: (Entity | undefined)[] = []
    for (const id of ids) {
      const each = found.get(id)
      // Markings and labels lack this field in the list.
      states.push(entityOf(each === undefined ? undefined : (each.toStix ?? (await this.#stix(id, signal)))))
    }
    return states
  }

  /**
   * Adds an external reference to an entity. Idempotent: the platform recognizes a reference it already has.
   *
   * @param entity its internal or STIX id, and its STIX type.
   * @throws PlatformError `PLATFORM_REFUSED` with problem `forbidden` if the token's user may not update
   *   knowledge (capability KNOWLEDGE_KNUPDATE); `PLATFORM_ERROR` if the entity does not exist.
   */
  async link(
    entity: { readonly id: string; readonly type: string },
    reference: EntityLink,
    signal?: AbortSignal,
  ): Promise<void> {
    const { source_name, url, external_id } = reference
    const input = {
      source_name,
      ...(url !== undefined && { url }),
      ...(external_id !== undefined && { external_id }),
    }
    const answer = await this.#graphql.request({
      query: addReferenceMutation,
      variables: { input },
      schema: added,
      signal,
    })
    const edit = editOf(entity.type)
    // Inlined, because the input type's name varies by version (StixMetaRelationshipAddInput in 5.x,
    // StixRefRelationshipAddInput since).
    const to = JSON.stringify(answer.externalReferenceAdd.id)
    await this.#graphql.request({
      query: `mutation AddExternalReference($id: ID!) { ${edit}(id: $id) { relationAdd(input: { toId: ${to}, relationship_type: "external-reference" }) { id } } }`,
      variables: { id: entity.id },
      schema: z.unknown(),
      signal,
    })
  }

  /** Returns the ids that exist. @throws PlatformError if the answer is incomplete. */
  async #list(
    query: string,
    ids: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, z.infer<typeof node>>> {
    const answer = await this.#graphql.request({
      query,
      // Allows for more than one match per id: several objects can share a former STIX id.
      variables: { filters: filterByIds(ids), first: ids.length * 2 },
      schema: existing,
      signal,
    })
    const { edges, pageInfo } = answer.stixObjectOrStixRelationships
    if (pageInfo?.hasNextPage === true) {
      throw new PlatformError(
        'PLATFORM_ERROR',
        'The OpenCTI platform returned an incomplete list. Check its log, then retry.',
      )
    }
    return byEachId(edges.map((edge) => edge?.node).filter((each) => each !== undefined && each !== null))
  }

  async #stix(id: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { stix } = await this.#graphql.request({
      query: stixQuery,
      variables: { id },
      schema: content,
      signal,
    })
    return stix ?? undefined
  }
}

function entityOf(text: string | null | undefined): Entity | undefined {
  if (text === undefined || text === null || text === '') return undefined
  let entity: unknown
  try {
    entity = JSON.parse(text)
  } catch {
    throw unknownForm()
  }
  if (entity === null) return undefined
  if (typeof entity !== 'object' || !('id' in entity) || !('type' in entity)) throw unknownForm()
  return entity as Entity
}

/** The mutation for entities of a STIX type, chosen like pycti. */
function editOf(type: string): string {
  if (type === 'relationship') return 'stixCoreRelationshipEdit'
  if (type === 'sighting') return 'stixSightingRelationshipEdit'
  return kindOfStixType(type) === undefined ? 'stixDomainObjectEdit' : 'stixCyberObservableEdit'
}

function unknownForm(): PlatformError {
  return new PlatformError(
    'PLATFORM_ERROR',
    'The OpenCTI platform sent an unknown kind of answer (at stix). Check that this package supports its version.',
  )
}
