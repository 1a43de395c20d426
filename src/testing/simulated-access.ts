import {
  type AccessControl,
  type CollectionOptions,
  type SimulatedCollection,
  type SimulatedUser,
  type UserOptions,
} from './live/access.ts'

/** Streams of a simulated platform. */
export class SimulatedCollections {
  readonly #access: AccessControl

  constructor(access: AccessControl) {
    this.#access = access
  }

  /**
   * Adds a stream. By default it is started, private, and contains everything. Modify the returned object to
   * change it.
   */
  add(options: CollectionOptions = {}): SimulatedCollection {
    return this.#access.addCollection(options)
  }

  /** @throws Error if there is no stream with this id. */
  get(id: string): SimulatedCollection {
    const collection = this.#access.collection(id)
    if (collection === undefined) throw new Error(`The simulator has no stream with the id ${id}.`)
    return collection
  }

  list(): SimulatedCollection[] {
    return this.#access.collections()
  }

  /** Deletes a stream. Open connections end the next time they check it; new ones are answered 401. */
  remove(id: string): void {
    this.#access.removeCollection(id)
  }
}

/** Users of a simulated platform. */
export class SimulatedUsers {
  readonly #access: AccessControl

  constructor(access: AccessControl) {
    this.#access = access
  }

  /** Adds a user. By default it has a random token and may register, ping, and read streams. */
  add(options: UserOptions = {}): SimulatedUser {
    return this.#access.addUser(options)
  }

  /** Deletes the user with this token. Open streams stay open, as on the platform. */
  remove(token: string): void {
    this.#access.removeUser(token)
  }
}
