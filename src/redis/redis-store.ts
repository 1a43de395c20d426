import { examineRedis } from './examine-redis.ts'
import { StateError } from '../errors/state-error.ts'
import {
  type Claim,
  type ClaimPlace,
  type DeadLetter,
  type EntityRecord,
  type ItemRecord,
  type StateChanges,
  type StateExamination,
  type StateLease,
  type StateOpening,
  type StateOpenOptions,
  type StateStore,
} from '../store/state-store.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { TurnBatch } from '../util/turn-batch.ts'
import { type RedisCommand } from './commit-arguments.ts'
import {
  claimsOnScript,
  lettersScript,
  pageScript,
  scoredPageScript,
  secondPageScript,
} from './read-scripts.ts'
import { boundsOf, epochField, firstOf, pairOf, secondOf } from './redis-keys.ts'
import { entityOfRow, itemOfRow, letterFields, letterOfFields } from './redis-rows.ts'
import { type RedisScript } from './redis-script.ts'
import { type RedisStoreOptions } from './redis-store-options.ts'
import { RedisTenure } from './redis-tenure.ts'

/** Maximum of records with the same target id. */
const maxAt = 100

/**
 * Keeps a connector's state in Redis 6.2 or newer, or Valkey, for containers without a volume, and for several copies
 * of a connector, one of which leads. Many connectors can share a server. Requires the package `redis`. A commit with all
 * its changes is one script; what is read in one turn of the event loop travels together.
 *
 * Redis must keep its data on disk (`appendonly yes`), and must not remove it (`maxmemory-policy noeviction`).
 * Otherwise, the connector may have to start over from the position on the platform.
 *
 * @example
 * ```ts
 * import { RedisStore } from 'opencti-stream-connector/redis'
 *
 * const store = new RedisStore({ url: 'redis://127.0.0.1:6379', access: 'read-only' })
 * await store.open('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
 * console.log(await store.countDeadLetters())
 * await store.close()
 * ```
 */
export class RedisStore implements StateStore {
  readonly #options: RedisStoreOptions
  #tenure: RedisTenure | undefined
  /** One command for many: a quarter less processor time than one command each. */
  readonly #entitiesByKey: TurnBatch<string, EntityRecord | undefined>

  constructor(options: RedisStoreOptions) {
    this.#options = options
    this.#entitiesByKey = new TurnBatch(async (names) => {
      const { reads, keys } = this.#readable()
      const answer = await reads.command('reading', ['HMGET', keys.entities, ...names, epochField])
      const rows = answer as readonly (string | null)[]
      const epoch = Number(rows.at(-1) ?? 0)
      return names.map((key, index) => {
        const row = rows[index]
        return typeof row === 'string' ? entityOfRow(key, row, epoch) : undefined
      })
    })
  }

  get lease(): StateLease | undefined {
    return this.#tenure?.isBegun === true ? this.#tenure.lease : undefined
  }

  async open(owner: string, options: StateOpenOptions = {}): Promise<StateOpening> {
    if (this.#tenure !== undefined) throw new StateError('STATE_LOCKED', 'This state is already open.')
    const tenure = new RedisTenure(owner, this.#options)
    this.#tenure = tenure
    try {
      return await tenure.begin(options)
    } catch (error) {
      if (this.#tenure === tenure) this.#tenure = undefined
      await tenure.end()
      throw error
    }
  }

  examine(owner: string): Promise<StateExamination> {
    const { url, setting = 'CONNECTOR_STATE_URL' } = this.#options
    return examineRedis(url, setting, owner)
  }

  async value(name: string): Promise<string | undefined> {
    const { reads, keys } = this.#readable()
    return ((await reads.command('reading', ['HGET', keys.values, name])) as string | null) ?? undefined
  }

  async values(page: {
    prefix: string
    afterName?: string | undefined
    limit: number
  }): Promise<ReadonlyMap<string, string>> {
    const { keys } = this.#readable()
    const [, end] = prefixBounds(page.prefix)
    const { names, rows } = await this.#page(
      pageScript,
      [keys.valueNames, keys.values],
      [`(${page.afterName ?? page.prefix}`, end, page.limit],
    )
    return new Map(names.map((name, index) => [name, rows[index]!]))
  }

  async countValues(prefix: string): Promise<number> {
    return this.#count(['ZLEXCOUNT', this.#readable().keys.valueNames, ...prefixBounds(prefix)])
  }

  entity(key: string): Promise<EntityRecord | undefined> {
    return this.#entitiesByKey.ask(key)
  }

  async entitiesAt(externalId: string): Promise<readonly EntityRecord[]> {
    const { keys } = this.#readable()
    return this.#entities(secondPageScript, keys.entityIds, [...boundsOf(externalId), maxAt])
  }

  async entities(page: { afterKey?: string | undefined; limit: number }): Promise<readonly EntityRecord[]> {
    const { keys } = this.#readable()
    return this.#entities(pageScript, keys.entityKeys, [after(page.afterKey), '+', page.limit])
  }

  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    const { keys } = this.#readable()
    return this.#entities(scoredPageScript, keys.expiries, [page.atMs, page.limit])
  }

  async countEntities(): Promise<number> {
    return this.#count(['ZCARD', this.#readable().keys.entityKeys])
  }

  async claimsOf(page: {
    entity: string
    afterKey?: string | undefined
    limit: number
  }): Promise<readonly Claim[]> {
    const { keys } = this.#readable()
    const bounds = boundsOf(page.entity, page.afterKey)
    const { names, rows } = await this.#page(
      pageScript,
      [keys.claimsOf, keys.claims],
      [...bounds, page.limit],
    )
    return names.map((place, index) => ({ entity: page.entity, key: secondOf(place), item: rows[index]! }))
  }

  async claimsOn(page: {
    key: string
    afterEntity?: string | undefined
    limit: number
  }): Promise<readonly Claim[]> {
    return this.#claimsOn(...boundsOf(page.key, page.afterEntity), page.limit)
  }

  async claims(page: { after?: ClaimPlace | undefined; limit: number }): Promise<readonly Claim[]> {
    const { after: place, limit } = page
    return this.#claimsOn(place === undefined ? '-' : `(${pairOf(place.key, place.entity)}`, '+', limit)
  }

  async item(key: string): Promise<ItemRecord | undefined> {
    const { reads, keys } = this.#readable()
    const row = (await reads.command('reading', ['HGET', keys.items, key])) as string | null
    return row === null ? undefined : itemOfRow(key, row)
  }

  async itemsAt(externalId: string): Promise<readonly ItemRecord[]> {
    const { keys } = this.#readable()
    return this.#items(secondPageScript, keys.itemIds, [...boundsOf(externalId), maxAt])
  }

  async items(page: { afterKey?: string | undefined; limit: number }): Promise<readonly ItemRecord[]> {
    const { keys } = this.#readable()
    return this.#items(pageScript, keys.itemKeys, [after(page.afterKey), '+', page.limit])
  }

  async countItems(): Promise<number> {
    return this.#count(['ZCARD', this.#readable().keys.itemKeys])
  }

  async countClaims(): Promise<number> {
    return this.#count(['ZCARD', this.#readable().keys.claimsOn])
  }

  async departures(): Promise<ReadonlyMap<string, string>> {
    const { reads, keys } = this.#readable()
    const found = (await reads.command('reading', ['HGETALL', keys.departures])) as readonly string[]
    return new Map(
      found.flatMap((key, index) => (index % 2 === 0 ? [[key, found[index + 1]!] as const] : [])),
    )
  }

  async deadLetters(page: Parameters<StateStore['deadLetters']>[0]): Promise<readonly DeadLetter[]> {
    const { reads, keys } = this.#readable()
    const isNewest = page.newestFirst === true
    const fields = page.withoutData === true || isNewest ? letterFields.slice(0, -1) : letterFields
    const from = isNewest ? 'newest' : String(page.afterId ?? 0)
    const ids = page.onlyReplay === true && !isNewest ? keys.replays : keys.letters
    const parameters = [from, String(page.limit), ...fields]
    const answer = await reads.run('reading', lettersScript, [ids, keys.letter], parameters)
    const [found, values] = answer as readonly [string[], (string | null)[][]]
    return found.map((id, index) => letterOfFields(Number(id), values[index]!))
  }

  async deadLetter(id: number): Promise<DeadLetter | undefined> {
    const { reads, keys } = this.#readable()
    const parts = ['HMGET', `${keys.letter}${id}`, ...letterFields]
    const values = (await reads.command('reading', parts)) as readonly (string | null)[]
    return values[0] === null ? undefined : letterOfFields(id, values)
  }

  async countDeadLetters(): Promise<number> {
    return this.#count(['ZCARD', this.#readable().keys.letters])
  }

  async requestReplay(request: { ids?: readonly number[] | undefined; force: boolean }): Promise<number> {
    return this.#writable().requestReplay(request.force ? 'forced' : 'requested', request.ids)
  }

  /** @param commands what else to do in the same step. */
  async commit(changes: StateChanges, commands?: Iterable<RedisCommand>): Promise<void> {
    try {
      await this.#writable().commit(changes, commands)
    } catch (error) {
      if (isStreamConnectorError(error)) throw error
      throw new StateError('STATE_NOT_WRITTEN', 'The changes could not be read; none of them was saved.', {
        cause: error,
      })
    }
  }

  async close(): Promise<void> {
    const tenure = this.#tenure
    this.#tenure = undefined
    await tenure?.end()
  }

  async #count(command: readonly (string | Buffer)[]): Promise<number> {
    return Number(await this.#readable().reads.command('reading', command))
  }

  async #claimsOn(from: string, to: string, limit: number): Promise<readonly Claim[]> {
    const { keys } = this.#readable()
    const { names, rows } = await this.#page(claimsOnScript, [keys.claimsOn, keys.claims], [from, to, limit])
    return names.map((place, index) => ({ entity: secondOf(place), key: firstOf(place), item: rows[index]! }))
  }

  async #entities(
    script: RedisScript,
    ids: string,
    parameters: readonly (string | number)[],
  ): Promise<readonly EntityRecord[]> {
    const { keys } = this.#readable()
    const { names, rows, epoch } = await this.#page(script, [ids, keys.entities], parameters)
    return names.map((key, index) => entityOfRow(key, rows[index]!, epoch))
  }

  async #items(
    script: RedisScript,
    ids: string,
    parameters: readonly (string | number)[],
  ): Promise<readonly ItemRecord[]> {
    const { keys } = this.#readable()
    const { names, rows } = await this.#page(script, [ids, keys.items], parameters)
    return names.map((key, index) => itemOfRow(key, rows[index]!))
  }

  /** Names from a sorted set, and their rows from a hash. */
  async #page(
    script: RedisScript,
    keys: readonly [order: string, rows: string],
    parameters: readonly (string | Buffer | number)[],
  ): Promise<{ names: readonly string[]; rows: readonly string[]; epoch: number }> {
    const texts = parameters.map((each) => (typeof each === 'number' ? String(each) : each))
    const answer = await this.#readable().reads.run('reading', script, keys, texts)
    const [names, rows, epoch] = answer as readonly [string[], string[], (string | null)?]
    return { names, rows, epoch: Number(epoch ?? 0) }
  }

  #readable(): RedisTenure {
    if (this.#tenure?.isBegun !== true) throw notOpen('STATE_UNREADABLE')
    return this.#tenure
  }

  #writable(): RedisTenure {
    if (this.#tenure?.isBegun !== true) throw notOpen('STATE_NOT_WRITTEN')
    if (this.#options.access === 'read-only')
      throw new StateError('STATE_NOT_WRITTEN', 'This state was opened read-only.')
    return this.#tenure
  }
}

function notOpen(code: 'STATE_UNREADABLE' | 'STATE_NOT_WRITTEN'): StateError {
  return new StateError(code, 'The state was used before it was opened or after it was closed.')
}

function after(key: string | undefined): string {
  return key === undefined ? '-' : `(${key}`
}

/** All longer texts that start with `prefix`: UTF-8 has no byte 255. */
function prefixBounds(prefix: string): [string, Buffer] {
  return [`(${prefix}`, Buffer.concat([Buffer.from(`(${prefix}`), Buffer.of(255)])]
}
