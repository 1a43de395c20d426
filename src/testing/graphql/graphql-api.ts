import {
  execute,
  type GraphQLError,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type ExecutionResult,
} from 'graphql'
import { type SimulatedUser } from '../live/access.ts'
import { type Faults } from '../faults.ts'
import { type PlatformFeatures } from '../platform-profile.ts'
import { GraphqlFailure } from './graphql-failure.ts'
import { repeatedFieldsRule } from './repeated-fields-rule.ts'
import { graphqlSchema } from './schema.ts'

/** Resolves a field of `Query` or `Mutation`. */
export type RootResolver = (
  given: Readonly<Record<string, unknown>>,
  user: SimulatedUser | undefined,
) => unknown

/** A received request. */
export interface GraphqlRequest {
  readonly query?: unknown
  readonly variables?: unknown
  readonly operationName?: unknown
}

const rules = [...specifiedRules, repeatedFieldsRule]

/** The platform's GraphQL API. graphql-js validates and executes, as on the platform. */
export class GraphqlApi {
  readonly #options: GraphqlApiOptions

  constructor(options: GraphqlApiOptions) {
    this.#options = options
  }

  /** Body of the answer. The HTTP status is 200 even for errors. */
  async answer(request: GraphqlRequest, user: SimulatedUser | undefined): Promise<Record<string, unknown>> {
    const { features, faults, resolvers } = this.#options
    const schema = graphqlSchema(features, faults.armed.rejectedInputFields)
    let document: DocumentNode
    try {
      document = parse(typeof request.query === 'string' ? request.query : '')
    } catch (error) {
      return refused([error as GraphQLError], 'GRAPHQL_PARSE_FAILED')
    }
    const invalid = validate(schema, document, rules)
    if (invalid.length > 0) return refused(invalid, 'GRAPHQL_VALIDATION_FAILED')
    const result: ExecutionResult = await execute({
      schema,
      document,
      rootValue: resolvers,
      contextValue: user,
      variableValues: (request.variables ?? {}) as Record<string, unknown>,
      operationName: typeof request.operationName === 'string' ? request.operationName : undefined,
    })
    if (result.data === undefined) return refused(result.errors ?? [], 'BAD_USER_INPUT')
    const { errors, data } = result
    return { ...(errors && { errors: errors.map((error) => describe(error)) }), data }
  }
}

/** Sources of the API's answers. */
export interface GraphqlApiOptions {
  readonly features: PlatformFeatures
  readonly faults: Faults
  readonly resolvers: Readonly<Record<string, RootResolver>>
}

/** Answer to a request that was not executed: no `data`. */
function refused(errors: readonly GraphQLError[], code: string): Record<string, unknown> {
  return { errors: errors.map((error) => ({ ...error.toJSON(), name: code, extensions: { code } })) }
}

function describe(error: GraphQLError): Record<string, unknown> {
  const { originalError } = error
  const code = originalError instanceof GraphqlFailure ? originalError.code : 'INTERNAL_SERVER_ERROR'
  return { ...error.toJSON(), name: code, extensions: { code } }
}
