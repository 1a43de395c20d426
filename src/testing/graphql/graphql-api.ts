import { type Clock } from '../../util/clock.ts'
import { type Faults } from '../faults.ts'
import { type PlatformFeatures } from '../platform-profile.ts'
import { type AccessControl, type SimulatedUser } from '../live/access.ts'
import { describeLog } from '../live/describe-log.ts'
import { type EventLog } from '../live/event-log.ts'
import { type ConnectorRegistry, type RegisteredConnector } from './connector-registry.ts'
import { describeCollection, describeConnector } from './descriptions.ts'
import { GraphqlSyntaxError, parseDocument, type GraphqlField, type GraphqlValue } from './document.ts'
import { allow, GraphqlFailure } from './graphql-failure.ts'
import { type KnowledgeApi } from './knowledge-api.ts'
import { graphqlSchema, type GraphqlSchema } from './schema.ts'

/** What the API answers for. */
export interface GraphqlApiOptions {
  readonly clock: Clock
  readonly features: PlatformFeatures
  readonly access: AccessControl
  readonly registry: ConnectorRegistry
  readonly log: EventLog
  readonly faults: Faults
  readonly knowledge: KnowledgeApi
}

/** A request as it came. */
export interface GraphqlRequest {
  readonly query?: unknown
  readonly variables?: unknown
  readonly operationName?: unknown
}

/** An answer, with what the caller of the API needs to know of the question. */
export interface GraphqlAnswer {
  readonly status: number
  readonly body: Record<string, unknown>
  /** The first field of the operation: `registerConnector`, `pingConnector` … */
  readonly field: string | undefined
}

/** Registration, ping, reset and the description of streams, as the platform's GraphQL API has them. */
export class GraphqlApi {
  readonly #options: GraphqlApiOptions
  readonly #schema: GraphqlSchema

  constructor(options: GraphqlApiOptions) {
    this.#options = options
    this.#schema = graphqlSchema(options.features)
  }

  answer(request: GraphqlRequest, user: SimulatedUser | undefined): GraphqlAnswer {
    let field: string | undefined
    try {
      const variables = (request.variables ?? {}) as Record<string, unknown>
      const operations = parseDocument(typeof request.query === 'string' ? request.query : '')
      const operation = operations.find(({ name }) => name === request.operationName) ?? operations[0]!
      field = operation.selections[0]?.name
      const type = operation.type === 'query' ? 'Query' : 'Mutation'
      this.#validate(operation.selections, type)
      const data: Record<string, unknown> = {}
      for (const selection of operation.selections) {
        const given = argumentsOf(selection, variables)
        const result = this.#resolve(selection.name, given, user)
        const resultType = this.#schema.types.get(type)!.get(selection.name)!
        data[selection.alias] = this.#project(result, selection.selections, resultType, variables)
      }
      return { status: 200, body: { data }, field }
    } catch (error) {
      if (error instanceof GraphqlSyntaxError)
        return failed(error.message, 'GRAPHQL_PARSE_FAILED', 400, field)
      if (error instanceof GraphqlFailure) return failed(error.message, error.code, error.status, field)
      throw error
    }
  }

  #validate(selections: readonly GraphqlField[], type: string): void {
    const fields = this.#schema.types.get(type)!
    for (const { name, selections: inner } of selections) {
      const next = fields.get(name)
      if (next === undefined && name !== '__typename') {
        throw new GraphqlFailure(
          `Cannot query field "${name}" on type "${type}".`,
          'GRAPHQL_VALIDATION_FAILED',
          400,
        )
      }
      if (next !== undefined && next !== '') {
        if (inner.length === 0) {
          const message = `Field "${name}" of type "${next}" must have a selection of subfields.`
          throw new GraphqlFailure(message, 'GRAPHQL_VALIDATION_FAILED', 400)
        }
        this.#validate(inner, next)
      }
    }
  }

  /** A function in the place of a value is called with what the document gives it. */
  #project(
    value: unknown,
    selections: readonly GraphqlField[],
    type: string,
    variables: Record<string, unknown>,
  ): unknown {
    if (selections.length === 0 || value === null || value === undefined) return value ?? null
    if (Array.isArray(value)) return value.map((item) => this.#project(item, selections, type, variables))
    const fields = this.#schema.types.get(type)!
    return Object.fromEntries(
      selections.map((field) => {
        if (field.name === '__typename') return [field.alias, type]
        const found = (value as Record<string, unknown>)[field.name]
        const inner: unknown = typeof found === 'function' ? found(argumentsOf(field, variables)) : found
        return [field.alias, this.#project(inner, field.selections, fields.get(field.name)!, variables)]
      }),
    )
  }

  #resolve(field: string, given: Record<string, unknown>, user: SimulatedUser | undefined): unknown {
    const { registry, clock, log, features } = this.#options
    if (field === 'streamCollection' || field === 'streamCollections')
      return this.#streams(field, given, user)
    const reader = required(user)
    const { knowledge } = this.#options
    if (knowledge.answers(field)) return knowledge.resolve(field, given, reader)
    switch (field) {
      case 'registerConnector': {
        allow(reader, 'CONNECTORAPI')
        const input = this.#input('RegisterConnectorInput', given['input'])
        return describeConnector(registry.register(input, reader.id, clock.now()), clock.now())
      }
      case 'pingConnector': {
        allow(reader, 'CONNECTORAPI')
        const info = given['connectorInfo']
        if (info !== undefined && info !== null) this.#input('ConnectorInfoInput', info)
        const connector = registry.ping(text(given['id']), given['state'] as string, info, clock.now())
        return describeConnector(known(connector), clock.now())
      }
      case 'resetStateConnector':
        allow(reader, 'MODULES_MODMANAGE')
        known(registry.find(text(given['id'])))
        return describeConnector(registry.reset(text(given['id']), clock.now()), clock.now())
      case 'deleteConnector':
        allow(reader, 'MODULES_MODMANAGE')
        known(registry.find(text(given['id'])))
        registry.delete(text(given['id']))
        return given['id']
      case 'connector': {
        allow(reader, 'MODULES')
        const connector = registry.find(text(given['id']))
        return connector && describeConnector(connector, clock.now())
      }
      case 'connectors':
        allow(reader, 'MODULES')
        return registry.list().map((connector) => describeConnector(connector, clock.now()))
      case 'redisStreamInfo':
        return describeLog(log)
      case 'about':
        return { version: features.version }
      case 'me':
        return {
          id: reader.id,
          name: reader.name,
          user_email: `${reader.id}@opencti.example`,
          capabilities: [...reader.capabilities].map((name) => ({ name })),
        }
      default:
        throw new GraphqlFailure(`The simulator has no ${field}.`, 'NOT_IMPLEMENTED')
    }
  }

  #streams(field: string, given: Record<string, unknown>, user: SimulatedUser | undefined): unknown {
    const { access } = this.#options
    const visible = access
      .collections()
      .filter((collection) => collection.public || (user !== undefined && mayReadStreams(user)))
    if (field === 'streamCollections') {
      return {
        edges: visible.map((collection) => ({ node: describeCollection(collection), cursor: collection.id })),
      }
    }
    allow(required(user), 'TAXIIAPI')
    const found = visible.find(({ id }) => id === given['id'])
    return found && describeCollection(found)
  }

  /** Checks an input object as the platform does: no unknown field, no missing one. */
  #input(type: string, value: unknown): Record<string, unknown> {
    const fields = this.#schema.inputs.get(type)!
    if (typeof value !== 'object' || value === null) {
      throw new GraphqlFailure(
        `Variable "$input" of type "${type}" must be an object.`,
        'BAD_USER_INPUT',
        400,
      )
    }
    const rejected =
      type === 'RegisterConnectorInput' ? this.#options.faults.armed.rejectedInputFields : undefined
    for (const name of Object.keys(value)) {
      if (fields.has(name) && rejected?.has(name) !== true) continue
      const message = `Variable "$input" got invalid value; Field "${name}" is not defined by type "${type}".`
      throw new GraphqlFailure(message, 'BAD_USER_INPUT', 400)
    }
    const input = value as Record<string, unknown>
    for (const [name, isRequired] of fields) {
      if (!isRequired || (input[name] !== undefined && input[name] !== null)) continue
      const message = `Variable "$input" got invalid value; Field "${name}" of required type was not provided.`
      throw new GraphqlFailure(message, 'BAD_USER_INPUT', 400)
    }
    return input
  }
}

function argumentsOf(field: GraphqlField, variables: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    [...field.arguments].map(([name, value]) => [name, resolveValue(value, variables)]),
  )
}

function resolveValue(value: GraphqlValue, variables: Record<string, unknown>): unknown {
  switch (value.kind) {
    case 'variable':
      return variables[value.name]
    case 'constant':
      return value.value
    case 'list':
      return value.items.map((item) => resolveValue(item, variables))
    case 'object':
      return Object.fromEntries(
        [...value.fields].map(([name, item]) => [name, resolveValue(item, variables)]),
      )
  }
}

function required(user: SimulatedUser | undefined): SimulatedUser {
  if (user === undefined) throw new GraphqlFailure('You must be logged in to do this.', 'AUTH_REQUIRED')
  return user
}

function mayReadStreams(user: SimulatedUser): boolean {
  return user.capabilities.has('TAXIIAPI') || user.capabilities.has('BYPASS')
}

function known(connector: RegisteredConnector | undefined): RegisteredConnector {
  if (connector === undefined)
    throw new GraphqlFailure('No connector found with the specified ID', 'FUNCTIONAL_ERROR')
  return connector
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new GraphqlFailure('An "id" must be given.', 'BAD_USER_INPUT', 400)
  return value
}

function failed(message: string, code: string, status: number, field: string | undefined): GraphqlAnswer {
  return { status, body: { errors: [{ message, name: code, extensions: { code } }], data: null }, field }
}
