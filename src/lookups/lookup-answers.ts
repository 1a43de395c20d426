import { z } from 'zod'

/** What the platform says of a marking. */
export interface MarkingInfo {
  /** The STIX id. */
  readonly id: string
  /** What people read: `TLP:AMBER`, `PAP:RED`, `INTERNAL ONLY`. */
  readonly name: string
  /** The family that it belongs to: `TLP`, `PAP`, `statement`. */
  readonly type: string
  /** Its place within its family: the greater, the stricter. */
  readonly order: number
  /** As `#d84315`; absent when it has none. */
  readonly color: string | undefined
}

/** What the platform says of an author. */
export interface AuthorInfo {
  /** The STIX id. */
  readonly id: string
  readonly name: string
  /** OpenCTI's type: `Organization`, `Individual`, `System`, `Sector`. */
  readonly type: string
}

/** One thing that a container holds: an object, or a relationship. */
export interface ContainedObject {
  /** The STIX id. */
  readonly id: string
  /** OpenCTI's own id, which never changes. */
  readonly internalId: string
  /** OpenCTI's type: `Indicator`, `IPv4-Addr`, `Malware`; of a relationship its kind, such as `indicates`. */
  readonly type: string
  /** What a person would call it; absent from platforms before 5.8, which do not tell. */
  readonly name: string | undefined
}

// Only what every version from 5 on has (OpenCTI platform, config/schema/opencti.graphql).

/** All markings that the user may see: there are tens of them, so that one question answers for all. */
export const markingsQuery =
  'query LookUpMarkings($first: Int, $after: ID) { markingDefinitions(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id standard_id definition_type definition x_opencti_order x_opencti_color } } } }'

const authorFields = 'id standard_id entity_type name x_opencti_stix_ids'

/**
 * Several authors at once. Only a list can: the platform takes the same field no more than twice in a document, under whatever
 * names (OpenCTI platform, `app:graphql:batching_protection`).
 */
export const authorsQuery = `query LookUpAuthors($filters: FilterGroup, $first: Int, $after: ID) { identities(filters: $filters, first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { ${authorFields} } } } }`

/** One author: for platforms before 5.12, whose lists take no such filters. */
export const authorQuery = `query LookUpAuthor($id: String!) { identity(id: $id) { ${authorFields} } }`

/** A page of what a container holds. @param names whether the platform can say what people call it. */
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

/** An author as the platform tells of it. */
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
                      // Nothing of a kind that is neither object nor relationship.
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
