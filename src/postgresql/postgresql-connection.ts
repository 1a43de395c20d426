import type { Client, QueryResultRow } from 'pg'
import { StateError } from '../errors/state-error.ts'
import { systemClock } from '../util/clock.ts'
import { type PostgresqlAddress } from './postgresql-address.ts'
import { isOfConnection } from './postgresql-failure.ts'

/** Time for one server to accept a connection, in milliseconds. */
const connectMs = 5000

/** The server ends a statement after this part of the time that its caller waits. */
const statementShare = 0.8

/** Of each session: what the rest relies on, whatever the defaults of the user and the database are. */
const session = `SELECT set_config('statement_timeout', $1, false),
  set_config('default_transaction_isolation', 'read committed', false),
  CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END,
  current_setting('transaction_read_only') = 'on' AS is_read_only, current_setting('server_encoding') AS encoding`

/**
 * One connection to the database, opened when it is first used, and again after it broke. Queries run one after
 * another, and each ends within a time limit. All queries may be repeated: if the connection breaks under one,
 * it is made once more on a new connection.
 */
export class PostgresqlConnection {
  readonly #address: PostgresqlAddress
  readonly #timeoutMs: number
  #client: Promise<Client> | undefined
  /** The server that answered last. */
  #host = 0
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false

  /** @param timeoutMs time limit of each query, in milliseconds, including its wait for others. */
  constructor(address: PostgresqlAddress, timeoutMs: number) {
    this.#address = address
    this.#timeoutMs = timeoutMs
  }

  /** @throws the error of the client library or the server, or a timeout. */
  query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>()
    let isOver = false
    const end = () => {
      isOver = true
      cancel()
    }
    const cancel = systemClock.schedule(this.#timeoutMs, () => {
      isOver = true
      reject(new Error(`the server did not answer within ${this.#timeoutMs} ms`))
      // Whatever comes over this connection is no longer wanted.
      if (isRunning) this.#drop()
    })
    let isRunning = false
    const run = async () => {
      if (isOver) return
      isRunning = true
      try {
        resolve(await this.#repeatable<Row>(text, values, () => isOver))
      } catch (error) {
        reject(error as Error)
      }
      isRunning = false
      end()
    }
    this.#last = this.#last.then(run)
    return promise
  }

  /** Closes the connection once all queries have ended. */
  async close(): Promise<void> {
    await this.#last
    this.#isClosed = true
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    await client?.end().catch(() => {})
  }

  async #repeatable<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[],
    isOver: () => boolean,
  ): Promise<Row[]> {
    const wasConnected = this.#client !== undefined
    try {
      return await this.#once<Row>(text, values)
    } catch (error) {
      if (!wasConnected || !isOfConnection(error) || isOver() || this.#isClosed) throw error
      return this.#once<Row>(text, values)
    }
  }

  async #once<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const client = await this.#connected()
    try {
      return (await client.query<Row>(text, [...values])).rows
    } catch (error) {
      if (isOfConnection(error)) this.#drop()
      throw error
    }
  }

  #connected(): Promise<Client> {
    if (this.#client === undefined) {
      const client = this.#connect()
      this.#client = client
      client.catch(() => {
        if (this.#client === client) this.#client = undefined
      })
    }
    return this.#client
  }

  #drop(): void {
    const client = this.#client
    this.#client = undefined
    // Destroys the socket if a query is running.
    client?.then((found) => found.end()).catch(() => {})
  }

  /** Connects to the first server that accepts writes, beginning with the last one used. */
  async #connect(): Promise<Client> {
    const { hosts } = this.#address
    let failure: unknown
    for (let tries = 0; tries < hosts.length; tries++) {
      try {
        return await this.#connectTo(hosts[this.#host]!)
      } catch (error) {
        failure ??= error
        this.#host = (this.#host + 1) % hosts.length
      }
    }
    throw failure
  }

  async #connectTo(place: PostgresqlAddress['hosts'][number]): Promise<Client> {
    const { ssl } = this.#address
    if (ssl.mode !== 'prefer') return this.#login(place, ssl.mode !== 'disable')
    try {
      return await this.#login(place, true)
    } catch (error) {
      if (!/does not support SSL/i.test(String((error as Error).message))) throw error
      return this.#login(place, false)
    }
  }

  async #login(place: PostgresqlAddress['hosts'][number], isSecure: boolean): Promise<Client> {
    const { user, password, database, options, ssl } = this.#address
    const { Client: PgClient } = await clientLibrary()
    const client = new PgClient({
      ...place,
      user,
      database,
      ...(password === undefined ? {} : { password }),
      ...(options === undefined ? {} : { options }),
      ssl: isSecure ? ssl.options() : false,
      application_name: 'opencti-stream-connector',
      connectionTimeoutMillis: Math.min(connectMs, this.#timeoutMs),
      keepAlive: true,
    })
    // It breaks while nobody uses it: the next query opens another one.
    client.on('error', () => {
      if (this.#client !== undefined) void this.#forget(client)
    })
    try {
      await client.connect()
      const { rows } = await client.query<{ is_read_only: boolean; encoding: string }>(session, [
        String(Math.round(this.#timeoutMs * statementShare)),
      ])
      const [found] = rows
      if (found!.is_read_only) throw readOnly()
      if (found!.encoding !== 'UTF8') throw wrongEncoding(found!.encoding)
      return client
    } catch (error) {
      void client.end().catch(() => {})
      throw error
    }
  }

  async #forget(client: Client): Promise<void> {
    const current = this.#client
    if ((await current?.catch(() => undefined)) === client && this.#client === current)
      this.#client = undefined
  }
}

/** Loaded late, and here, so that a bundler leaves the library out of connectors that do not have it. */
async function clientLibrary() {
  try {
    return await import('pg')
  } catch (cause) {
    throw new StateError(
      'STATE_UNREADABLE',
      'The state in PostgreSQL requires the package pg, which is not installed. Add it to the connector: npm install pg',
      { cause },
    )
  }
}

function readOnly(): Error {
  return Object.assign(new Error('the server accepts no writes'), { code: '25006', severity: 'ERROR' })
}

function wrongEncoding(encoding: string): StateError {
  return new StateError(
    'STATE_UNREADABLE',
    `The database in CONNECTOR_STATE_URL has the encoding ${encoding}. Create one with UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`,
  )
}
