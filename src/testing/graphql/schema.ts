import { buildSchema, type GraphQLSchema } from 'graphql'
import { type PlatformFeatures } from '../platform-profile.ts'
import { connectorDefinitions } from './connector-definitions.ts'
import { knowledgeDefinitions } from './knowledge-definitions.ts'

/** Tests start hundreds of simulators, and a schema takes some milliseconds. */
const built = new Map<string, GraphQLSchema>()

/** The part of the platform's GraphQL schema that connectors touch. @param rejectedInputFields fields of the registration that it shall not know. */
export function graphqlSchema(
  features: PlatformFeatures,
  rejectedInputFields: ReadonlySet<string>,
): GraphQLSchema {
  const definitions = connectorDefinitions(features, rejectedInputFields) + knowledgeDefinitions(features)
  let schema = built.get(definitions)
  if (schema === undefined) built.set(definitions, (schema = buildSchema(definitions)))
  return schema
}
