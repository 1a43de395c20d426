import { randomUUID } from 'node:crypto'
import { type PlatformFeatures } from '../platform-profile.ts'
import { textsOf, type StixObject } from '../knowledge/stix-object.ts'
import { type StreamOrigin } from './stream-envelope.ts'

/** What a user may do, in the platform's words; any other capability can be named too. */
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

/** What the stock role of the platform's group "Connectors" may do, and read knowledge. */
export const connectorCapabilities: readonly Capability[] = [
  'APIACCESS_USETOKEN',
  'CONNECTORAPI',
  'TAXIIAPI',
  'MODULES_MODMANAGE',
  'KNOWLEDGE',
]

/** A user of the simulated platform. */
export interface SimulatedUser {
  /** The internal id, seen in `origin.user_id` and as `connector_user_id`. */
  readonly id: string
  readonly token: string
  readonly name: string
  readonly capabilities: ReadonlySet<Capability>
  /** Which objects the user may read. */
  readonly canSee: (object: StixObject) => boolean
  /** The STIX ids of the markings that the user has; undefined for all. */
  readonly markings: ReadonlySet<string> | undefined
  /** What is missing of the mandatory two-factor authentication (7.x). */
  readonly twoFactor: 'not-activated' | 'not-validated' | undefined
}

/** How to add a user; everything has a default. */
export interface UserOptions {
  /** The internal id. Default: a random one. */
  readonly id?: string | undefined
  /** Default: a random one. */
  readonly token?: string | undefined
  /** Default: `connector`. */
  readonly name?: string | undefined
  /** Default: `APIACCESS_USETOKEN`, `CONNECTORAPI` and `TAXIIAPI`: to use a token, register, ping and read streams. */
  readonly capabilities?: Iterable<Capability> | undefined
  /** Which objects the user may read. Default: all. */
  readonly canSee?: ((object: StixObject) => boolean) | undefined
  /** The STIX ids of the markings that the user has. Default: all. */
  readonly markings?: Iterable<string> | undefined
  /** What is missing of the mandatory two-factor authentication (7.x). Default: nothing. */
  readonly twoFactor?: 'not-activated' | 'not-validated' | undefined
}

/** A stream of the simulated platform. Change `live`, `filter` and the rest whenever you like: it is looked at again after each batch. */
export interface SimulatedCollection {
  readonly id: string
  name: string
  description: string
  /** Whether the stream is started; a stopped one answers 410. */
  live: boolean
  /** Whether it is open to anybody, without credentials. */
  public: boolean
  /** Which objects it is about. */
  filter: (object: StixObject) => boolean
  /** Whose writes it is about (7.x); with it, there is no recovery. */
  originFilter: ((origin: StreamOrigin) => boolean) | undefined
  /** The ids of the only users who may read it. */
  members: string[] | undefined
  /** The STIX ids of the markings that it filters on; a reader needs one of them, an object too. */
  markings: string[] | undefined
  /** The filter as the platform shows it: a JSON text. */
  filters: string
}

/** How to add a stream; everything has a default: a started, private stream of everything. */
export type CollectionOptions = Partial<SimulatedCollection>

/** Why a stream is not opened: an HTTP status with its reason, and an empty body. */
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
   * The user of an `Authorization` header. A wrong token is no error in itself, it is nobody; nor is one whose user may not use
   * tokens (7.x).
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
   * @param streamId the id in the path; `undefined` is the raw stream.
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

/** Whether an object passes the filter of a stream; without a collection everything does. */
export function matchesCollection(collection: SimulatedCollection | undefined, object: StixObject): boolean {
  if (collection === undefined) return true
  const { markings } = collection
  if (markings !== undefined && !textsOf(object['object_marking_refs']).some((id) => markings.includes(id)))
    return false
  return collection.filter(object)
}

/** Whether a user may read an object; anonymous readers of a public stream may read what it is about. */
export function canRead(user: SimulatedUser | undefined, object: StixObject): boolean {
  if (user === undefined || user.capabilities.has('BYPASS')) return true
  const { markings } = user
  if (markings !== undefined && !textsOf(object['object_marking_refs']).every((id) => markings.has(id)))
    return false
  return user.canSee(object)
}
