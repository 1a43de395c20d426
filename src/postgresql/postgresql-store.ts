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
import { TurnBatch } from '../util/turn-batch.ts'
import { commitParameters } from './commit-parameters.ts'
import { parsePostgresqlUrl, placeOf } from './postgresql-address.ts'
import { examinePostgresql } from './examine-postgresql.ts'
import { postgresqlFailure } from './postgresql-failure.ts'
import {
  type ClaimRow,
  claimOfRow,
  type DeadLetterRow,
  deadLetterOfRow,
  type EntityRow,
  entityOfRow,
  type ItemRow,
  itemOfRow,
} from './postgresql-rows.ts'
import { type StatementName } from './postgresql-statements.ts'
import { type PostgresqlStoreOptions } from './postgresql-store-options.ts'
import { PostgresqlTenure } from './postgresql-tenure.ts'
import { storedKey, storedText, textOfStored } from './stored-text.ts'

type Count = { readonly count: string }

/**
 * Keeps a connector's state in PostgreSQL 13 or newer, for containers without a volume, and for several copies
 * of a connector, one of which leads. Many connectors can share a database: tables have the prefix
 * `opencti_stream_connector_`, and are created in the first schema of the user's search path when a connector
 * first starts. Requires the package `pg`. Everything works through one round trip: a commit with all its
 * changes, and all reads of one turn of the event loop.
 *
 * @example
 * ```ts
 * import { PostgresqlStore } from 'opencti-stream-connector/postgresql'
 *
 * const url = 'postgres://connectors@db.example.org/connectors?sslmode=verify-full'
 * const store = new PostgresqlStore({ url, access: 'read-only' })
 * await store.open('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
 * console.log(await store.countDeadLetters())
 * await store.close()
 * ```
 */
export class PostgresqlStore implements StateStore {
  readonly #options: PostgresqlStoreOptions
  readonly #place: string
  #tenure: PostgresqlTenure | undefined
  readonly #entities: TurnBatch<string, EntityRecord | undefined>
  readonly #items: TurnBatch<string, ItemRecord | undefined>
  readonly #claimsOf: TurnBatch<ClaimQuestion, readonly Claim[]>
  readonly #claimsOn: TurnBatch<ClaimQuestion, readonly Claim[]>

  /** @throws StateError `STATE_UNREADABLE` if the address cannot be used. */
  constructor(options: PostgresqlStoreOptions) {
    this.#options = options
    this.#place = placeOf(parsePostgresqlUrl(options.url))
    this.#entities = new TurnBatch((keys) =>
      this.#each<EntityRow, EntityRecord>('entitiesOf', keys, entityOfRow),
    )
    this.#items = new TurnBatch((keys) => this.#each<ItemRow, ItemRecord>('itemsOf', keys, itemOfRow))
    this.#claimsOf = new TurnBatch<ClaimQuestion, readonly Claim[]>((questions) =>
      this.#claimsOfEach('claimsOf', questions),
    )
    this.#claimsOn = new TurnBatch<ClaimQuestion, readonly Claim[]>((questions) =>
      this.#claimsOfEach('claimsOn', questions),
    )
  }

  get lease(): StateLease | undefined {
    return this.#tenure?.lease
  }

  async open(owner: string, options: StateOpenOptions = {}): Promise<StateOpening> {
    if (this.#tenure !== undefined) throw new StateError('STATE_LOCKED', 'This state is already open.')
    const tenure = new PostgresqlTenure(this.#options)
    this.#tenure = tenure
    try {
      return { fresh: await tenure.begin(owner, options) }
    } catch (error) {
      if (this.#tenure === tenure) this.#tenure = undefined
      await tenure.end()
      if (options.signal?.aborted === true) throw options.signal.reason
      throw postgresqlFailure(error, 'reading', this.#place)
    }
  }

  async examine(owner: string): Promise<StateExamination> {
    try {
      return await examinePostgresql(this.#options.url, owner)
    } catch (error) {
      throw postgresqlFailure(error, 'reading', this.#place)
    }
  }

  async value(name: string): Promise<string | undefined> {
    const [row] = await this.#read<{ value: string }>('value', storedText(name))
    return row && textOfStored(row.value)
  }

  async values(page: {
    prefix: string
    afterName?: string | undefined
    limit: number
  }): Promise<ReadonlyMap<string, string>> {
    const range = [storedText(page.afterName ?? page.prefix), endOf(page.prefix)]
    const rows = await this.#read<{ name: string; value: string }>('values', ...range, page.limit)
    return new Map(rows.map(({ name, value }) => [textOfStored(name), textOfStored(value)]))
  }

  countValues(prefix: string): Promise<number> {
    return this.#count('countValues', prefix, endOf(prefix))
  }

  entity(key: string): Promise<EntityRecord | undefined> {
    return this.#entities.ask(key)
  }

  async entitiesAt(externalId: string): Promise<readonly EntityRecord[]> {
    return (await this.#read<EntityRow>('entitiesAt', storedText(externalId))).map(entityOfRow)
  }

  async entities(page: { afterKey?: string | undefined; limit: number }): Promise<readonly EntityRecord[]> {
    const after = storedKey(page.afterKey ?? '').key
    return (await this.#read<EntityRow>('entities', after, page.limit)).map(entityOfRow)
  }

  async expiring(page: { atMs: number; limit: number }): Promise<readonly EntityRecord[]> {
    return (await this.#read<EntityRow>('expiring', page.atMs, page.limit)).map(entityOfRow)
  }

  countEntities(): Promise<number> {
    return this.#count('countEntities')
  }

  claimsOf({ entity, afterKey, limit }: Parameters<StateStore['claimsOf']>[0]): Promise<readonly Claim[]> {
    return this.#claimsOf.ask({ of: entity, after: afterKey ?? '', limit })
  }

  claimsOn({ key, afterEntity, limit }: Parameters<StateStore['claimsOn']>[0]): Promise<readonly Claim[]> {
    return this.#claimsOn.ask({ of: key, after: afterEntity ?? '', limit })
  }

  async claims(page: { after?: ClaimPlace | undefined; limit: number }): Promise<readonly Claim[]> {
    const { key, entity } = page.after ?? { key: '', entity: '' }
    const after = [storedKey(key).key, storedKey(entity).key]
    return (await this.#read<ClaimRow>('claims', ...after, page.limit)).map(claimOfRow)
  }

  item(key: string): Promise<ItemRecord | undefined> {
    return this.#items.ask(key)
  }

  async itemsAt(externalId: string): Promise<readonly ItemRecord[]> {
    return (await this.#read<ItemRow>('itemsAt', storedText(externalId))).map(itemOfRow)
  }

  async items(page: { afterKey?: string | undefined; limit: number }): Promise<readonly ItemRecord[]> {
    const after = storedKey(page.afterKey ?? '').key
    return (await this.#read<ItemRow>('items', after, page.limit)).map(itemOfRow)
  }

  countItems(): Promise<number> {
    return this.#count('countItems')
  }

  countClaims(): Promise<number> {
    return this.#count('countClaims')
  }

  async departures(): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#read<{ key: string; position: string }>('departures')
    return new Map(rows.map(({ key, position }) => [textOfStored(key), position]))
  }

  async deadLetters(page: Parameters<StateStore['deadLetters']>[0]): Promise<readonly DeadLetter[]> {
    const { limit, afterId = 0 } = page
    const all = page.withoutData === true ? 'summaries' : 'deadLetters'
    const rows =
      page.newestFirst === true
        ? await this.#read<DeadLetterRow>('newestSummaries', limit)
        : await this.#read<DeadLetterRow>(page.onlyReplay === true ? 'replays' : all, afterId, limit)
    return rows.map(deadLetterOfRow)
  }

  async deadLetter(id: number): Promise<DeadLetter | undefined> {
    const [row] = await this.#read<DeadLetterRow>('deadLetter', id)
    return row && deadLetterOfRow(row)
  }

  countDeadLetters(): Promise<number> {
    return this.#count('countDeadLetters')
  }

  async requestReplay(request: { ids?: readonly number[] | undefined; force: boolean }): Promise<number> {
    const kind = request.force ? 'forced' : 'requested'
    return this.#write(async (tenure) => {
      const [row] = await tenure.write<Count>('requestReplay', [kind, request.ids ?? null])
      return Number(row!.count)
    })
  }

  async commit(changes: StateChanges): Promise<void> {
    await this.#write((tenure) => tenure.commit(commitParameters(changes)))
  }

  async close(): Promise<void> {
    const tenure = this.#tenure
    this.#tenure = undefined
    await tenure?.end()
  }

  async #count(statement: StatementName, ...values: readonly unknown[]): Promise<number> {
    const [row] = await this.#read<Count>(statement, ...values)
    return Number(row!.count)
  }

  /** Rows for each key, in the order of the keys. */
  async #each<Row extends { key: string }, Record>(
    statement: 'entitiesOf' | 'itemsOf',
    keys: readonly string[],
    recordOf: (row: Row) => Record,
  ): Promise<(Record | undefined)[]> {
    const stored = keys.map((key) => storedKey(key).key)
    const rows = await this.#read<Row>(statement, [...new Set(stored)])
    const records = new Map(rows.map((row) => [row.key, recordOf(row)]))
    return stored.map((key) => records.get(key))
  }

  async #claimsOfEach(
    statement: 'claimsOf' | 'claimsOn',
    questions: readonly ClaimQuestion[],
  ): Promise<readonly (readonly Claim[])[]> {
    const answers = questions.map((): Claim[] => [])
    const of = questions.map((question) => storedKey(question.of).key)
    const after = questions.map((question) => storedKey(question.after).key)
    const limits = questions.map(({ limit }) => limit)
    const rows = await this.#read<ClaimRow & { place: number }>(statement, of, after, limits)
    for (const row of rows) answers[row.place - 1]!.push(claimOfRow(row))
    return answers
  }

  async #read<Row extends object>(statement: StatementName, ...values: unknown[]): Promise<Row[]> {
    const tenure = this.#tenure
    if (tenure?.isBegun !== true) throw notOpen('STATE_UNREADABLE')
    try {
      return await tenure.read<Row>(statement, values)
    } catch (error) {
      throw postgresqlFailure(error, 'reading', this.#place)
    }
  }

  async #write<T>(work: (tenure: PostgresqlTenure) => Promise<T>): Promise<T> {
    const tenure = this.#tenure
    if (tenure?.isBegun !== true) throw notOpen('STATE_NOT_WRITTEN')
    if (this.#options.access === 'read-only')
      throw new StateError('STATE_NOT_WRITTEN', 'This state was opened read-only.')
    try {
      return await work(tenure)
    } catch (error) {
      throw postgresqlFailure(error, 'writing', this.#place)
    }
  }
}

interface ClaimQuestion {
  readonly of: string
  readonly after: string
  readonly limit: number
}

function notOpen(code: 'STATE_UNREADABLE' | 'STATE_NOT_WRITTEN'): StateError {
  return new StateError(code, 'The state was used before it was opened or after it was closed.')
}

/** The first text after all texts that start with `prefix`, which must end in an ASCII character. */
function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}
