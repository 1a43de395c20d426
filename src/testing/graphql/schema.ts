import { buildSchema, type GraphQLSchema } from 'graphql'
import { type PlatformFeatures } from '../platform-profile.ts'
import { connectorDefinitions } from './connector-definitions.ts'
import { knowledgeDefinitions } from './knowledge-definitions.ts'

/** Cached per generation: tests start hundreds of simulators, and building a schema takes milliseconds. */
const built = new Map<PlatformFeatures, GraphQLSchema>()

/**
 * The part of the platform's GraphQL schema that connectors use. @param rejectedInputFields registration
 * fields it does not support.
 */
export function graphqlSchema(
  features: PlatformFeatures,
  rejectedInputFields: ReadonlySet<string>,
): GraphQLSchema {
  const known = rejectedInputFields.size === 0 ? built.get(features) : undefined
  if (known !== undefined) return known
  const definitions = connectorDefinitions(features, rejectedInputFields) + knowledgeDefinitions(features)
  const schema = buildSchema(definitions)
  if (rejectedInputFields.size === 0) built.set(features, schema)
  return schema
}
