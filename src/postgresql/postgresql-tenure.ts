import { randomUUID } from 'node:crypto'
import { StateError } from '../errors/state-error.ts'
import { acquireLease, type LeaseAttempt } from '../store/acquire-lease.ts'
import { copyName } from '../store/copy-name.ts'
import { type Moment, momentOf, RenewedLease } from '../store/renewed-lease.ts'
import { type StateLease, type StateOpenOptions } from '../store/state-store.ts'
import { systemClock } from '../util/clock.ts'
import { parsePostgresqlUrl, placeOf } from './postgresql-address.ts'
import { PostgresqlConnection } from './postgresql-connection.ts'
import { isAway, postgresqlFailure } from './postgresql-failure.ts'
import { findSchema, migrateSchema, readSchemaVersion, schemaVersion } from './postgresql-schema.ts'
import { type StatementName, statements } from './postgresql-statements.ts'
import { type PostgresqlStoreOptions } from './postgresql-store-options.ts'

const defaultTimeoutMs = 20_000

/** Reads that events wait for. Long ones must not hold them up. */
const hotStatements: ReadonlySet<string> = new Set([
  'entitiesOf',
  'entitiesAt',
  'itemsOf',
  'itemsAt',
  'claimsOf',
  'claimsOn',
  'value',
])

/** A store from its opening to its closing: connections, the right to write, and the numbers of the commits. */
export class PostgresqlTenure {
  readonly #options: PostgresqlStoreOptions
  readonly #place: string
  readonly #ended = new AbortController()
  readonly #writes: PostgresqlConnection
  readonly #hotReads: PostgresqlConnection
  readonly #otherReads: PostgresqlConnection
  /** Apart from the others, so that a renewal waits for no long commit. */
  readonly #forLease: PostgresqlConnection
  readonly #ttlMs: number
  #owner = ''
  #connector: number | undefined
  #lease: RenewedLease | undefined
  #token: string | null = null
  /** Number of the last commit that was sent, and of the last one that the server confirmed. */
  #sent = 0
  #confirmed = 0

  constructor(options: PostgresqlStoreOptions) {
    const address = parsePostgresqlUrl(options.url)
    this.#options = options
    this.#place = placeOf(address)
    this.#ttlMs = options.leaseMs ?? 5000
    const queryMs = options.timeoutMs ?? defaultTimeoutMs
    this.#writes = new PostgresqlConnection(address, queryMs)
    this.#hotReads = new PostgresqlConnection(address, queryMs)
    this.#otherReads = new PostgresqlConnection(address, queryMs)
    this.#forLease = new PostgresqlConnection(address, Math.max(500, this.#ttlMs / 2))
  }

  get lease(): StateLease | undefined {
    return this.#lease
  }

  /** Whether it may be used. */
  get isBegun(): boolean {
    return this.#connector !== undefined
  }

  /**
   * Finds the connector's state, and acquires the lease if access is exclusive.
   *
   * @returns whether there was nothing before.
   */
  async begin(owner: string, options: StateOpenOptions): Promise<boolean> {
    this.#owner = owner
    if ((this.#options.access ?? 'exclusive') !== 'exclusive') {
      await this.#find()
      return false
    }
    const clock = this.#options.clock ?? systemClock
    const copy = randomUUID()
    const signals = [this.#ended.signal, ...(options.signal === undefined ? [] : [options.signal])]
    const held = await acquireLease(() => this.#acquire(copy, momentOf(clock)), {
      ...options,
      // Whoever waits is awake: only the holder's clock counts.
      clock: systemClock,
      ttlMs: this.#ttlMs,
      signal: AbortSignal.any(signals),
    })
    this.#connector = held.connector
    this.#token = held.token
    this.#sent = this.#confirmed = held.lastCommit
    this.#lease = new RenewedLease({
      clock,
      ttlMs: this.#ttlMs,
      acquired: held.acquired,
      renew: () => this.#renew(),
    })
    return held.token === '1'
  }

  read<Row extends object>(statement: StatementName, values: readonly unknown[]): Promise<Row[]> {
    const connection = hotStatements.has(statement) ? this.#hotReads : this.#otherReads
    return connection.query<Row>(statements[statement], [this.#connector, ...values])
  }

  write<Row extends object>(statement: StatementName, values: readonly unknown[]): Promise<Row[]> {
    return this.#writes.query<Row>(statements[statement], [this.#connector, ...values])
  }

  /**
   * Makes all changes or none.
   *
   * @throws StateError `STATE_LOST` if another copy may have written since.
   */
  async commit(changes: readonly unknown[]): Promise<void> {
    if (this.#lease?.lost.aborted === true) throw this.#lease.lost.reason
    const isFenced = this.#token !== null
    const number = isFenced ? ++this.#sent : 0
    const fence = isFenced ? [this.#token, number, this.#confirmed] : [null, null, null]
    const [row] = await this.write<{ answer: string }>('commit', [...fence, ...changes])
    const answer = row!.answer
    if (answer === 'done') {
      this.#confirmed = number
      return
    }
    if (answer === 'late')
      throw new StateError('STATE_NOT_WRITTEN', 'A newer change was saved before this one.')
    const error = answer === 'behind' ? wentBack(this.#place) : lostTo(await this.#holder())
    this.#lease!.lose(error)
    throw error
  }

  /** Releases the lease and closes all connections. */
  async end(): Promise<void> {
    this.#ended.abort(new StateError('STATE_UNREADABLE', 'The state was closed while it was being opened.'))
    this.#lease?.end()
    const [connector, token] = [this.#connector, this.#token]
    this.#connector = undefined
    const reads = [this.#hotReads, this.#otherReads].map((connection) => connection.close())
    // What is being written belongs to this tenure.
    await this.#writes.close()
    if (token !== null && this.#lease?.lost.aborted === false) {
      // Otherwise the others wait until it expires.
      await this.#forLease.query(statements.release, [connector, token]).catch(() => {})
    }
    await Promise.all([this.#forLease.close(), ...reads])
  }

  /** An unreachable server may come back; everything else that fails is for a person. */
  async #acquire(copy: string, acquired: Moment): Promise<LeaseAttempt<Held>> {
    try {
      await this.#prepareSchema()
      const values = [this.#owner, copy, this.#options.copyName ?? copyName(), this.#ttlMs / 1000]
      const [row] = await this.#forLease.query<AcquireRow>(statements.acquire, values)
      const { connector, token, holder, last_commit } = row!
      if (token === null) return { holder: holder! }
      return { held: { connector, token, lastCommit: Number(last_commit), acquired } }
    } catch (error) {
      if (!isAway(error)) throw error
      return { away: postgresqlFailure(error, 'reading', this.#place) as StateError }
    }
  }

  async #renew(): Promise<StateError | undefined> {
    const values = [this.#connector, this.#token, this.#ttlMs / 1000]
    const [row] = await this.#forLease.query<{ is_renewed: boolean; holder: string }>(
      statements.renew,
      values,
    )
    return row!.is_renewed ? undefined : lostTo(row!.holder)
  }

  async #holder(): Promise<string> {
    try {
      const [row] = await this.#forLease.query<{ holder: string }>(statements.holder, [this.#connector])
      return row?.holder ?? 'unknown'
    } catch {
      return 'unknown'
    }
  }

  /** Finds the number of a connector whose state exists. */
  async #find(): Promise<void> {
    const isThere = (await this.#version()) !== undefined
    const [row] = isThere
      ? await this.#otherReads.query<{ number: number }>(statements.connector, [this.#owner])
      : []
    if (row === undefined) {
      throw new StateError(
        'STATE_UNREADABLE',
        `There is no state of this connector id in PostgreSQL (${this.#place}). Check CONNECTOR_STATE_URL and CONNECTOR_ID; the connector creates its state when it first starts.`,
      )
    }
    this.#connector = row.number
  }

  async #prepareSchema(): Promise<void> {
    const version = await this.#version()
    if (version === undefined || version < schemaVersion) await this.#writes.query(migrateSchema)
  }

  /** Version of the schema; undefined if there is none. */
  async #version(): Promise<number | undefined> {
    const [found] = await this.#otherReads.query<{ is_there: boolean }>(findSchema)
    if (!found!.is_there) return undefined
    const [row] = await this.#otherReads.query<{ version: number }>(readSchemaVersion)
    if (row !== undefined && row.version > schemaVersion) {
      throw new StateError(
        'STATE_UNREADABLE',
        `The state in PostgreSQL (${this.#place}) was written by a newer version of opencti-stream-connector. Use that version or a newer one.`,
      )
    }
    return row?.version
  }
}

interface Held {
  readonly connector: number
  readonly token: string
  readonly lastCommit: number
  readonly acquired: Moment
}

interface AcquireRow {
  readonly connector: number
  readonly token: string | null
  readonly holder: string | null
  readonly last_commit: string
}

function lostTo(holder: string): StateError {
  return new StateError(
    'STATE_LOST',
    `Another copy of the connector has taken over (${holder}), because this one did not renew its lease in time.`,
  )
}

function wentBack(place: string): StateError {
  return new StateError(
    'STATE_LOST',
    `The state in PostgreSQL (${place}) is older than what was saved there: the server was restored from a backup, or replaced by a standby that lagged behind. The connector starts over from what is there.`,
  )
}
