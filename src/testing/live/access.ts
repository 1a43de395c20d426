import { randomUUID } from 'node:crypto'
import { type PlatformFeatures } from '../platform-profile.ts'
import { textsOf, type StixObject } from '../knowledge/stix-object.ts'
import { type StreamOrigin } from './stream-envelope.ts'

/** Capabilities in the platform's terms; any other name works, too. */
export type Capability =
  | 'APIACCESS_USETOKEN'
  | 'BYPASS'
  | 'CONNECTORAPI'
  | 'TAXIIAPI'
  | 'KNOWLEDGE'
  | 'KNOWLEDGE_KNUPDATE'
  | 'MODULES'
  | 'MODULES_MODMANAGE'
  | 'KNOWLEDGE_ORGANIZATION_RESTRICT'
  | (string & {})

/**
 * Capabilities of the stock role of the platform's group "Connectors", plus reading knowledge: the default of the connector's
 * user.
 *
 * @example
 * ```ts
 * import { connectorCapabilities, Simulator } from 'opencti-stream-connector/testing'
 *
 * await using simulator = await Simulator.start({ capabilities: [...connectorCapabilities, 'KNOWLEDGE_KNUPDATE'] })
 * ```
 */
export const connectorCapabilities: readonly Capability[] = [
  'APIACCESS_USETOKEN',
  'CONNECTORAPI',
  'TAXIIAPI',
  'MODULES_MODMANAGE',
  'KNOWLEDGE',
]

/** A user of the simulated platform. */
export interface SimulatedUser {
  /** OpenCTI id, for `origin.user_id` and `connector_user_id`. */
  readonly id: string
  readonly token: string
  readonly name: string
  readonly capabilities: ReadonlySet<Capability>
  /** Which objects the user may read. */
  readonly canSee: (object: StixObject) => boolean
  /** STIX ids of the user's markings; undefined for all. */
  readonly markings: ReadonlySet<string> | undefined
  /** What is missing of mandatory two-factor authentication (7.x). */
  readonly twoFactor: 'not-activated' | 'not-validated' | undefined
}

/**
 * A stream of the simulated platform. Change `live`, `filter`, and so on at any time; open connections notice
 * after each batch.
 */
export interface SimulatedCollection {
  readonly id: string
  name: string
  description: string
  /** Whether the stream is started; a stopped one answers 410. */
  live: boolean
  /** Whether it is open to everyone, without credentials. */
  public: boolean
  /** Which objects it contains. */
  filter: (object: StixObject) => boolean
  /** Whose writes it contains (7.x). Disables recovery. */
  originFilter: ((origin: StreamOrigin) => boolean) | undefined
  /** Ids of the only users who may read it. */
  members: string[] | undefined
  /** STIX ids of the markings it filters by. Readers and objects need at least one of them. */
  markings: string[] | undefined
  /** The filter as shown by the platform: JSON text. */
  filters: string
}

/** Why a stream is not opened: HTTP status and reason, with an empty body. */
export interface StreamRefusal {
  readonly status: number
  readonly reason: string
}

const notAuthenticated: StreamRefusal = {
  status: 401,
  reason: 'You are not authenticated, please check your credentials',
}

const notAuthorized: StreamRefusal = {
  status: 401,
  reason: 'You are not authorized, please check your credentials',
}

/** Users and streams, and who may read what. */
export class AccessControl {
  readonly #users = new Map<string, SimulatedUser>()
  readonly #collections = new Map<string, SimulatedCollection>()
  readonly #features: PlatformFeatures

  constructor(features: PlatformFeatures) {
    this.#features = features
  }

  addUser(options: UserOptions): SimulatedUser {
    const user: SimulatedUser = {
      id: options.id ?? randomUUID(),
      token: options.token ?? randomUUID(),
      name: options.name ?? 'connector',
      capabilities: new Set(options.capabilities ?? ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'TAXIIAPI']),
      canSee: options.canSee ?? (() => true),
      markings: options.markings && new Set(options.markings),
      twoFactor: options.twoFactor,
    }
    this.#users.set(user.token, user)
    return user
  }

  removeUser(token: string): boolean {
    return this.#users.delete(token)
  }

  addCollection(options: CollectionOptions): SimulatedCollection {
    const {
      id = randomUUID(),
      name = 'Everything',
      description = '',
      live = true,
      filter = () => true,
    } = options
    const collection: SimulatedCollection = {
      id,
      name,
      description,
      live,
      filter,
      public: options.public ?? false,
      originFilter: options.originFilter,
      members: options.members,
      markings: options.markings,
      filters: options.filters ?? '{"mode":"and","filters":[],"filterGroups":[]}',
    }
    this.#collections.set(id, collection)
    return collection
  }

  removeCollection(id: string): boolean {
    return this.#collections.delete(id)
  }

  collection(id: string): SimulatedCollection | undefined {
    return this.#collections.get(id)
  }

  collections(): SimulatedCollection[] {
    return [...this.#collections.values()]
  }

  /**
   * User for an `Authorization` header. A wrong token is not an error but means anonymous, and so does a user
   * who may not use tokens (7.x).
   */
  userOf(authorization: string | undefined): SimulatedUser | undefined {
    if (authorization?.startsWith('Bearer ') !== true) return undefined
    const user = this.#users.get(authorization.slice('Bearer '.length))
    const mayUseTokens =
      !this.#features.isSeven || ['APIACCESS_USETOKEN', 'BYPASS'].some((name) => user?.capabilities.has(name))
    return mayUseTokens ? user : undefined
  }

  /**
   * Whether a user may open a stream now, checked in the platform's order.
   *
   * @param streamId id in the path; `undefined` for the raw stream.
   */
  refusal(streamId: string | undefined, user: SimulatedUser | undefined): StreamRefusal | undefined {
    const bypass = user?.capabilities.has('BYPASS') === true
    if (streamId === undefined) {
      if (user === undefined) return notAuthenticated
      return bypass
        ? undefined
        : { status: 401, reason: 'Consume generic stream is only authorized for bypass user' }
    }
    if (streamId === 'live') {
      if (user === undefined) return notAuthenticated
      return bypass ? undefined : notAuthorized
    }
    const collection = this.#collections.get(streamId)
    if (collection === undefined) return notAuthorized
    if (!collection.live) return { status: 410, reason: 'This live stream is stopped' }
    if (collection.public) return undefined
    if (user === undefined) return notAuthenticated
    return bypass ? undefined : this.#refusalOf(collection, user)
  }

  #refusalOf(collection: SimulatedCollection, user: SimulatedUser): StreamRefusal | undefined {
    const { members, markings } = collection
    if (!user.capabilities.has('TAXIIAPI')) return notAuthorized
    if (members !== undefined && members.length > 0 && !members.includes(user.id)) return notAuthorized
    if (
      markings !== undefined &&
      user.markings !== undefined &&
      !markings.some((id) => user.markings!.has(id))
    ) {
      return { status: 401, reason: 'You need to have access to specific markings for this live stream' }
    }
    if (this.#features.isSeven && user.twoFactor !== undefined) {
      const verb = user.twoFactor === 'not-activated' ? 'activate' : 'validate'
      return {
        status: 401,
        reason: `You must ${verb} your two-factor authentication to access this resource`,
      }
    }
    return undefined
  }
}

/** Options for a new user; all optional. */
export interface UserOptions {
  /**
   * OpenCTI id.
   * @default random
   */
  readonly id?: string | undefined
  /**
   * API token.
   * @default random
   */
  readonly token?: string | undefined
  /**
   * Name.
   * @default 'connector'
   */
  readonly name?: string | undefined
  /**
   * Capabilities. The default allows token use, registration, pings, and streams.
   * @default APIACCESS_USETOKEN, CONNECTORAPI, TAXIIAPI
   */
  readonly capabilities?: Iterable<Capability> | undefined
  /**
   * Which objects the user may read.
   * @default all
   */
  readonly canSee?: ((object: StixObject) => boolean) | undefined
  /**
   * STIX ids of the user's markings.
   * @default all
   */
  readonly markings?: Iterable<string> | undefined
  /**
   * What is missing of mandatory two-factor authentication (7.x).
   * @default nothing
   */
  readonly twoFactor?: 'not-activated' | 'not-validated' | undefined
}

/** Options for a new stream. By default it is started, private, and contains everything. */
export type CollectionOptions = Partial<SimulatedCollection>

/** Whether an object passes a stream's filter. Without a collection, everything does. */
export function matchesCollection(collection: SimulatedCollection | undefined, object: StixObject): boolean {
  if (collection === undefined) return true
  const { markings } = collection
  if (markings !== undefined && !textsOf(object['object_marking_refs']).some((id) => markings.includes(id)))
    return false
  return collection.filter(object)
}

/** Whether a user may read an object. Anonymous readers of a public stream may read its contents. */
export function canRead(user: SimulatedUser | undefined, object: StixObject): boolean {
  if (user === undefined || user.capabilities.has('BYPASS')) return true
  const { markings } = user
  if (markings !== undefined && !textsOf(object['object_marking_refs']).every((id) => markings.has(id)))
    return false
  return user.canSee(object)
}
