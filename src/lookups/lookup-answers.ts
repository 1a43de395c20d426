import { z } from 'zod'

/** A marking, as the platform describes it. */
export interface MarkingInfo {
  /** STIX id. */
  readonly id: string
  /** Display name: `TLP:AMBER`, `PAP:RED`, `INTERNAL ONLY`. */
  readonly name: string
  /** Family: `TLP`, `PAP`, `statement`. */
  readonly type: string
  /** Rank within its family; higher is stricter. */
  readonly order: number
  /** For example `#d84315`. Undefined if there is none. */
  readonly color: string | undefined
}

/** An author, as the platform describes it. */
export interface AuthorInfo {
  /** STIX id. */
  readonly id: string
  readonly name: string
  /** OpenCTI type: `Organization`, `Individual`, `System`, `Sector`. */
  readonly type: string
}

/** An object or relationship inside a container. */
export interface ContainedObject {
  /** STIX id. */
  readonly id: string
  /** OpenCTI id. Never changes. */
  readonly internalId: string
  /**
   * OpenCTI type, such as `Indicator`, `IPv4-Addr`, or `Malware`. For a relationship its kind, such as
   * `indicates`.
   */
  readonly type: string
  /** Display name. Undefined on platforms before 5.8, which do not send it. */
  readonly name: string | undefined
}

// Only fields that exist since version 5 (OpenCTI platform, config/schema/opencti.graphql).

/** All markings visible to the user. There are only dozens, so one query covers them all. */
export const markingsQuery =
  'query LookUpMarkings($first: Int, $after: ID) { markingDefinitions(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id standard_id definition_type definition x_opencti_order x_opencti_color } } } }'

const authorFields = 'id standard_id entity_type name x_opencti_stix_ids'

/**
 * Several authors at once. Requires a list: the platform accepts the same field at most twice per document,
 * regardless of aliases (OpenCTI platform, `app:graphql:batching_protection`).
 */
export const authorsQuery = `query LookUpAuthors($filters: FilterGroup, $first: Int, $after: ID) { identities(filters: $filters, first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { ${authorFields} } } } }`

/** One author, for platforms before 5.12, whose lists have no such filters. */
export const authorQuery = `query LookUpAuthor($id: String!) { identity(id: $id) { ${authorFields} } }`

/** A page of a container's contents. @param names whether the platform supports display names. */
export function objectsQuery(names: boolean): string {
  const name = names ? ' representative { main }' : ''
  const kinds = ['BasicObject', 'BasicRelationship'].map(
    (type) => `... on ${type} { id standard_id entity_type }`,
  )
  const named = names ? ['StixObject', 'StixRelationship'].map((type) => `... on ${type} {${name} }`) : []
  return `query LookUpObjects($id: String!, $first: Int, $after: ID) { container(id: $id) { id objects(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { ${[...kinds, ...named].join(' ')} } } } } }`
}

const text = z.string().nullish()
const pageInfo = z.object({ hasNextPage: z.boolean(), endCursor: text })

export const markingsAnswer = z.object({
  markingDefinitions: z
    .object({
      pageInfo,
      edges: z
        .array(
          z.object({
            node: z.object({
              id: z.string(),
              standard_id: z.string(),
              definition_type: text,
              definition: text,
              x_opencti_order: z.number().nullish(),
              x_opencti_color: text,
            }),
          }),
        )
        .nullish(),
    })
    .nullish(),
})

const author = z.object({
  id: z.string(),
  standard_id: z.string(),
  entity_type: z.string(),
  name: z.string(),
  x_opencti_stix_ids: z.array(text).nullish(),
})

/** An author in a platform response. */
export type ListedAuthor = z.infer<typeof author>

export const authorsAnswer = z.object({
  identities: z
    .object({
      pageInfo,
      edges: z.array(z.object({ node: author })).nullish(),
    })
    .nullish(),
})

export const authorAnswer = z.object({ identity: author.nullish() })

export const objectsAnswer = z.object({
  container: z
    .object({
      objects: z
        .object({
          pageInfo,
          edges: z
            .array(
              z
                .object({
                  node: z
                    .object({
                      // Skips anything that is neither an object nor a relationship.
                      id: text,
                      standard_id: text,
                      entity_type: text,
                      representative: z.object({ main: text }).nullish(),
                    })
                    .nullish(),
                })
                .nullish(),
            )
            .nullish(),
        })
        .nullish(),
    })
    .nullish(),
})
