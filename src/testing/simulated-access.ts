import {
  type AccessControl,
  type CollectionOptions,
  type SimulatedCollection,
  type SimulatedUser,
  type UserOptions,
} from './live/access.ts'

/** The streams of a simulated platform. */
export class SimulatedCollections {
  readonly #access: AccessControl

  constructor(access: AccessControl) {
    this.#access = access
  }

  /** Adds a stream: by default a started, private one of everything. Change the returned object to change it. */
  add(options: CollectionOptions = {}): SimulatedCollection {
    return this.#access.addCollection(options)
  }

  /** @throws Error when there is no stream with this id. */
  get(id: string): SimulatedCollection {
    const collection = this.#access.collection(id)
    if (collection === undefined) throw new Error(`The simulator has no stream with the id ${id}.`)
    return collection
  }

  list(): SimulatedCollection[] {
    return this.#access.collections()
  }

  /** Deletes a stream: open connections end at their next look at it, new ones are answered 401. */
  remove(id: string): void {
    this.#access.removeCollection(id)
  }
}

/** The users of a simulated platform. */
export class SimulatedUsers {
  readonly #access: AccessControl

  constructor(access: AccessControl) {
    this.#access = access
  }

  /** Adds a user: by default with a random token and the rights to register, ping and read streams. */
  add(options: UserOptions = {}): SimulatedUser {
    return this.#access.addUser(options)
  }

  /** Deletes the user with this token. Open streams stay open, as on the platform. */
  remove(token: string): void {
    this.#access.removeUser(token)
  }
}
