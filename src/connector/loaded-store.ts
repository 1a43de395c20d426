import { StateError } from '../errors/state-error.ts'
import {
  type StateExamination,
  type StateLease,
  type StateOpening,
  type StateOpenOptions,
  type StateStore,
} from '../store/state-store.ts'

/** A store whose class is loaded when it is opened, because it needs a library that only some connectors have. */
export class LoadedStore implements StateStore {
  readonly #load: () => Promise<StateStore>
  #store: StateStore | undefined

  constructor(load: () => Promise<StateStore>) {
    this.#load = load
  }

  get lease(): StateLease | undefined {
    return this.#store?.lease
  }

  async open(owner: string, options?: StateOpenOptions): Promise<StateOpening> {
    this.#store ??= await this.#load()
    return this.#store.open(owner, options)
  }

  /** @throws TypeError if the store cannot be examined. */
  async examine(owner: string): Promise<StateExamination> {
    this.#store ??= await this.#load()
    return this.#store.examine!(owner)
  }

  async value(name: Parameters<StateStore['value']>[0]): Promise<Awaited<ReturnType<StateStore['value']>>> {
    return this.#opened.value(name)
  }

  async values(
    page: Parameters<StateStore['values']>[0],
  ): Promise<Awaited<ReturnType<StateStore['values']>>> {
    return this.#opened.values(page)
  }

  async countValues(
    prefix: Parameters<StateStore['countValues']>[0],
  ): Promise<Awaited<ReturnType<StateStore['countValues']>>> {
    return this.#opened.countValues(prefix)
  }

  async entity(key: Parameters<StateStore['entity']>[0]): Promise<Awaited<ReturnType<StateStore['entity']>>> {
    return this.#opened.entity(key)
  }

  async entitiesAt(
    externalId: Parameters<StateStore['entitiesAt']>[0],
  ): Promise<Awaited<ReturnType<StateStore['entitiesAt']>>> {
    return this.#opened.entitiesAt(externalId)
  }

  async entities(
    page: Parameters<StateStore['entities']>[0],
  ): Promise<Awaited<ReturnType<StateStore['entities']>>> {
    return this.#opened.entities(page)
  }

  async expiring(
    page: Parameters<StateStore['expiring']>[0],
  ): Promise<Awaited<ReturnType<StateStore['expiring']>>> {
    return this.#opened.expiring(page)
  }

  async countEntities(): ReturnType<StateStore['countEntities']> {
    return this.#opened.countEntities()
  }

  async claimsOf(
    page: Parameters<StateStore['claimsOf']>[0],
  ): Promise<Awaited<ReturnType<StateStore['claimsOf']>>> {
    return this.#opened.claimsOf(page)
  }

  async claimsOn(
    page: Parameters<StateStore['claimsOn']>[0],
  ): Promise<Awaited<ReturnType<StateStore['claimsOn']>>> {
    return this.#opened.claimsOn(page)
  }

  async claims(
    page: Parameters<StateStore['claims']>[0],
  ): Promise<Awaited<ReturnType<StateStore['claims']>>> {
    return this.#opened.claims(page)
  }

  async item(key: Parameters<StateStore['item']>[0]): Promise<Awaited<ReturnType<StateStore['item']>>> {
    return this.#opened.item(key)
  }

  async itemsAt(
    externalId: Parameters<StateStore['itemsAt']>[0],
  ): Promise<Awaited<ReturnType<StateStore['itemsAt']>>> {
    return this.#opened.itemsAt(externalId)
  }

  async items(page: Parameters<StateStore['items']>[0]): Promise<Awaited<ReturnType<StateStore['items']>>> {
    return this.#opened.items(page)
  }

  async countItems(): ReturnType<StateStore['countItems']> {
    return this.#opened.countItems()
  }

  async countClaims(): ReturnType<StateStore['countClaims']> {
    return this.#opened.countClaims()
  }

  async departures(): ReturnType<StateStore['departures']> {
    return this.#opened.departures()
  }

  async deadLetters(
    page: Parameters<StateStore['deadLetters']>[0],
  ): Promise<Awaited<ReturnType<StateStore['deadLetters']>>> {
    return this.#opened.deadLetters(page)
  }

  async deadLetter(
    id: Parameters<StateStore['deadLetter']>[0],
  ): Promise<Awaited<ReturnType<StateStore['deadLetter']>>> {
    return this.#opened.deadLetter(id)
  }

  async countDeadLetters(): ReturnType<StateStore['countDeadLetters']> {
    return this.#opened.countDeadLetters()
  }

  async requestReplay(request: Parameters<StateStore['requestReplay']>[0]): Promise<number> {
    return this.#toWrite.requestReplay(request)
  }

  async commit(changes: Parameters<StateStore['commit']>[0]): Promise<void> {
    await this.#toWrite.commit(changes)
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  get #opened(): StateStore {
    return this.#store ?? notOpen('STATE_UNREADABLE')
  }

  get #toWrite(): StateStore {
    return this.#store ?? notOpen('STATE_NOT_WRITTEN')
  }
}

function notOpen(code: 'STATE_UNREADABLE' | 'STATE_NOT_WRITTEN'): never {
  throw new StateError(code, 'The state was used before it was opened.')
}
