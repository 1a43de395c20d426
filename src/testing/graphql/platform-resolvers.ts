import { type Clock } from '../../util/clock.ts'
import { type AccessControl, type SimulatedUser } from '../live/access.ts'
import { describeLog } from '../live/describe-log.ts'
import { type EventLog } from '../live/event-log.ts'
import { type PlatformFeatures } from '../platform-profile.ts'
import { type ConnectorRegistry, type RegisteredConnector } from './connector-registry.ts'
import { describeCollection, describeConnector } from './descriptions.ts'
import { type RootResolver } from './graphql-api.ts'
import { allow, GraphqlFailure, required } from './graphql-failure.ts'

/**
 * Registration, ping, reset, users, and stream descriptions (OpenCTI platform, domain/connector.ts and
 * others).
 */
export function platformResolvers(options: PlatformResolversOptions): Record<string, RootResolver> {
  const { registry, clock, log, features, access } = options
  const described = (connector: RegisteredConnector | undefined) =>
    describeConnector(known(connector), clock.now())
  const visibleTo = (user: SimulatedUser | undefined) =>
    access
      .collections()
      .filter((collection) => collection.public || (user !== undefined && mayReadStreams(user)))
  return {
    registerConnector: ({ input }, user) => {
      const { id } = allow(user, 'CONNECTORAPI')
      return described(registry.register((input ?? {}) as Record<string, unknown>, id, clock.now()))
    },
    pingConnector: ({ id, state, connectorInfo }, user) => {
      allow(user, 'CONNECTORAPI')
      const before = registry.find(String(id))?.state
      const connector = registry.ping(String(id), state as string, connectorInfo, clock.now())
      // It parses both the stored and the received state; invalid JSON fails this ping and the next.
      const unreadable = [before, connector?.state].find((text) => !isJson(text))
      if (connector !== undefined && features.isSeven && unreadable !== undefined)
        throw new GraphqlFailure(
          'An unknown error has occurred! Please try again later.',
          'INTERNAL_SERVER_ERROR',
        )
      return described(connector)
    },
    resetStateConnector: ({ id }, user) => {
      allow(user, 'MODULES_MODMANAGE')
      known(registry.find(String(id)))
      return described(registry.reset(String(id), clock.now()))
    },
    deleteConnector: ({ id }, user) => {
      allow(user, 'MODULES_MODMANAGE')
      known(registry.find(String(id)))
      registry.delete(String(id))
      return id
    },
    connector: ({ id }, user) => {
      allow(user, 'MODULES')
      const connector = registry.find(String(id))
      return connector && described(connector)
    },
    connectors: (_, user) => {
      allow(user, 'MODULES')
      return registry.list().map((connector) => described(connector))
    },
    redisStreamInfo: (_, user) => {
      required(user)
      return describeLog(log)
    },
    about: (_, user) => {
      required(user)
      return { version: features.version }
    },
    me: (_, user) => {
      const { id, name, capabilities } = required(user)
      const names = [...capabilities].map((capability) => ({ name: capability }))
      return { id, name, user_email: `${id}@opencti.example`, capabilities: names }
    },
    streamCollection: ({ id }, user) => {
      allow(user, 'TAXIIAPI')
      const found = visibleTo(user).find((collection) => collection.id === id)
      return found && describeCollection(found)
    },
    streamCollections: (_, user) => {
      const edges = visibleTo(user).map((collection) => ({
        node: describeCollection(collection),
        cursor: collection.id,
      }))
      return {
        edges,
        pageInfo: {
          startCursor: edges[0]?.cursor ?? '',
          endCursor: edges.at(-1)?.cursor ?? '',
          hasNextPage: false,
          hasPreviousPage: false,
          globalCount: edges.length,
        },
      }
    },
  }
}

/** Sources of {@link platformResolvers}. */
export interface PlatformResolversOptions {
  readonly clock: Clock
  readonly features: PlatformFeatures
  readonly access: AccessControl
  readonly registry: ConnectorRegistry
  readonly log: EventLog
}

function mayReadStreams({ capabilities }: SimulatedUser): boolean {
  return capabilities.has('TAXIIAPI') || capabilities.has('BYPASS')
}

function known(connector: RegisteredConnector | undefined): RegisteredConnector {
  if (connector === undefined)
    throw new GraphqlFailure('No connector found with the specified ID', 'FUNCTIONAL_ERROR')
  return connector
}

/** Whether a state is JSON or absent. */
function isJson(text: string | null | undefined): boolean {
  if (text === null || text === undefined || text === '') return true
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
