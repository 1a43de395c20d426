import {
  RetryableError,
  StreamConnector,
  confidenceOf,
  createdAtOf,
  createdByOf,
  defineSettings,
  entityKeyOf,
  fieldOf,
  isRevoked,
  itemsOf,
  labelsOf,
  nameOf,
  octiTypeOf,
  scoreOf,
  secret,
  tlpOf,
  updatedAtOf,
  validUntilOf,
  z,
} from 'opencti-stream-connector'
import type { ConnectorDefaults, Entity, FlushOperation, SettingsOf } from 'opencti-stream-connector'
import { connect, type Socket } from 'node:net'
import postgres from 'postgres'

const settings = defineSettings({
  postgresql: z.object({
    url: z
      .url({ protocol: /^postgres(ql)?$/, error: 'must be a URL such as postgres://user@host:5432/database' })
      .refine((url) => new URL(url).password === '', 'must not contain the password: set POSTGRESQL_PASSWORD')
      .describe('User, host, and database: postgres://user@host:5432/database?sslmode=verify-full.'),
    password: secret().describe('Password of the user.'),
    schema: z
      .string()
      .regex(/^[a-z_][a-z0-9_]*$/, 'must consist of lower-case letters, digits, and _')
      .default('opencti')
      .describe('Schema of the tables. Give each connector its own.'),
  }),
})

/** Indexes of long texts are hashes: a B-tree holds at most 2,704 bytes per row. */
const tables = `
  CREATE TABLE IF NOT EXISTS entity (
    id text PRIMARY KEY,
    stix_id text NOT NULL,
    type text NOT NULL,
    opencti_type text,
    name text NOT NULL,
    score smallint,
    confidence smallint,
    tlp text NOT NULL,
    labels text[] NOT NULL,
    author text,
    revoked boolean NOT NULL,
    valid_until timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    raw jsonb NOT NULL
  );
  CREATE TABLE IF NOT EXISTS relationship (
    id text PRIMARY KEY,
    stix_id text NOT NULL,
    type text NOT NULL,
    source_id text NOT NULL,
    source_type text,
    target_id text NOT NULL,
    target_type text,
    start_time timestamptz,
    stop_time timestamptz,
    confidence smallint,
    tlp text NOT NULL,
    created_at timestamptz,
    updated_at timestamptz,
    raw jsonb NOT NULL
  );
  CREATE TABLE IF NOT EXISTS observable (entity_id text NOT NULL, type text NOT NULL, value text NOT NULL);
  CREATE TABLE IF NOT EXISTS applied (id text PRIMARY KEY, position text COLLATE "C", is_gone boolean NOT NULL);
  CREATE TABLE IF NOT EXISTS progress (
    connector_id text PRIMARY KEY,
    version bigint NOT NULL,
    position text
  );
  CREATE INDEX IF NOT EXISTS entity_stix_id ON entity (stix_id);
  CREATE INDEX IF NOT EXISTS entity_type ON entity (type, updated_at);
  CREATE INDEX IF NOT EXISTS entity_name ON entity USING hash (name);
  CREATE INDEX IF NOT EXISTS entity_labels ON entity USING gin (labels);
  CREATE INDEX IF NOT EXISTS relationship_source ON relationship (source_id, type);
  CREATE INDEX IF NOT EXISTS relationship_target ON relationship (target_id, type);
  CREATE INDEX IF NOT EXISTS observable_value ON observable USING hash (value);
  CREATE INDEX IF NOT EXISTS observable_entity ON observable (entity_id);
  CREATE INDEX IF NOT EXISTS applied_gone ON applied (position) WHERE is_gone;
`

/** The rows of an entity, by table. Their fields are the columns. */
interface Rows {
  readonly entity: readonly object[]
  readonly relationship: readonly object[]
  readonly observable: readonly object[]
}

/** Keeps a PostgreSQL database in step with a live stream. Each event takes effect exactly once. */
export class PostgresqlConnector extends StreamConnector<typeof settings, Rows> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'PostgreSQL',
    batch: { maxItems: 500, maxWaitMs: 1000, maxInFlight: 1 },
  } satisfies ConnectorDefaults
  readonly #connectorId = this.settings.connector.id
  #sql = this.#newClient()

  transform(entity: Entity): Rows {
    const id = entityKeyOf(entity)
    const common = {
      id,
      stix_id: entity.id,
      confidence: confidenceOf(entity),
      tlp: tlpOf(entity),
      created_at: createdAtOf(entity),
      updated_at: updatedAtOf(entity),
      raw: entity,
    }
    if (entity.type === 'relationship' || entity.type === 'sighting')
      return { entity: [], relationship: [{ ...common, ...endsOf(entity) }], observable: [] }
    const row = {
      ...common,
      type: entity.type,
      opencti_type: octiTypeOf(entity),
      name: nameOf(entity),
      score: scoreOf(entity),
      labels: labelsOf(entity),
      author: createdByOf(entity),
      revoked: isRevoked(entity),
      valid_until: validUntilOf(entity),
    }
    const { items } = itemsOf(entity)
    const observable = items.map(({ kind, value }) => ({ entity_id: id, type: kind, value }))
    return { entity: [row], relationship: [], observable }
  }

  override async check(): Promise<void> {
    await this.#missingTables()
  }

  override async loadPosition(): Promise<string | undefined> {
    const { has_schema, missing } = await this.#missingTables()
    if (!has_schema) await this.#sql`CREATE SCHEMA ${this.#sql(this.settings.postgresql.schema)}`
    if (missing !== '') await this.#sql.unsafe(tables)
    await this.#sql`
      INSERT INTO progress (connector_id, version) VALUES (${this.#connectorId}, 0) ON CONFLICT DO NOTHING`
    const [progress] = await this.#sql<{ position: string | null }[]>`
      SELECT position FROM progress WHERE connector_id = ${this.#connectorId}`
    return progress?.position ?? undefined
  }

  /** One statement is one transaction. The client has another way, but loses count when a connection breaks in it. */
  override async flush(operations: readonly FlushOperation<Rows>[]): Promise<void> {
    const sql = this.#sql
    const ids = operations.map(({ context }) => entityKeyOf(context.entity))
    const known = await sql<{ version: string; id: string | null; position: string | null }[]>`
      SELECT version, id, applied.position FROM progress
      LEFT JOIN applied ON id IN (SELECT json_array_elements_text(${JSON.stringify(ids)}::text::json))
      WHERE connector_id = ${this.#connectorId}`
    const positions = new Map(known.map(({ id, position }) => [id, position]))
    const effects = operations
      .map(({ item, context }, index) => ({ id: ids[index]!, item, context }))
      .filter(({ id, context }) => context.comesAfter(positions.get(id)))
    const gone = effects.filter(({ item }) => item === undefined)
    const applied = effects.map(({ id, item, context }) => {
      const position = context.position ?? positions.get(id)
      return { id, position, is_gone: item === undefined }
    })
    const rowsOf = (table: keyof Rows) => effects.flatMap(({ item }) => item?.[table] ?? [])
    const safe = operations[0]?.context.safePosition ?? null
    // If a process that was killed has written in between, it is no longer this one's turn.
    const turns = await sql`
      WITH turn AS (
        UPDATE progress SET version = version + 1, position = coalesce(${safe}, position)
        WHERE connector_id = ${this.#connectorId} AND version = ${known[0]?.version ?? null} RETURNING version
      )
      ${remove(sql, 'entity', 'id', gone)}
      ${remove(sql, 'relationship', 'id', gone)}
      ${remove(sql, 'observable', 'entity_id', effects)}
      ${write(sql, 'entity', rowsOf('entity'))}
      ${write(sql, 'relationship', rowsOf('relationship'))}
      ${write(sql, 'observable', rowsOf('observable'))}
      ${write(sql, 'applied', applied)}
      SELECT version FROM turn`
    if (turns.length === 0)
      throw new RetryableError('The progress of this connector was changed by somebody else, or is gone')
    // What comes before the safe position never comes again.
    if (safe !== null) await sql`DELETE FROM applied WHERE is_gone AND position < split_part(${safe}, '-', 1)`
  }

  override close(): Promise<void> {
    return this.#sql.end({ timeout: 5 })
  }

  /** A client whose connection fails while it is about to write never writes again, so each connection has its own client. */
  #newClient(): postgres.Sql {
    const { postgresql, connector } = this.settings
    const client = clientOf(postgresql, connector.name, () => {
      if (this.#sql === client) this.#sql = this.#newClient()
    })
    return client
  }

  /** Finds the tables that are missing. @throws if the user may not create them, or not use those that are there. */
  async #missingTables(): Promise<Found> {
    const { schema } = this.settings.postgresql
    const [found] = await this.#sql<[Found]>`
      SELECT current_user AS "user", current_database() AS database,
        to_regnamespace(${schema}) IS NOT NULL AS has_schema,
        coalesce(
          has_schema_privilege(to_regnamespace(${schema})::oid, 'CREATE'),
          has_database_privilege(current_database(), 'CREATE')
        ) AS may_create,
        coalesce(string_agg(name, ', ') FILTER (WHERE class IS NULL), '') AS missing,
        coalesce(string_agg(name, ', ') FILTER (WHERE NOT (
          has_table_privilege(class, 'SELECT') AND has_table_privilege(class, 'INSERT')
          AND has_table_privilege(class, 'UPDATE') AND has_table_privilege(class, 'DELETE')
        )), '') AS denied
      FROM unnest(string_to_array(${tableNames}, ',')) AS name, to_regclass(${schema} || '.' || name) AS class`
    const { user, database, has_schema, may_create, missing, denied } = found
    const place = has_schema ? `SCHEMA ${schema}` : `DATABASE ${database}`
    if (missing !== '' && !may_create)
      throw new Error(
        `The schema ${schema} lacks the tables ${missing}, and the user may not create them. Run: GRANT CREATE ON ${place} TO ${user}`,
      )
    if (denied !== '')
      throw new Error(
        `The user may not write the tables ${denied}. Run: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user}`,
      )
    return found
  }
}

const tableNames = 'entity,relationship,observable,applied,progress'

interface Found {
  readonly user: string
  readonly database: string
  readonly has_schema: boolean
  readonly may_create: boolean
  readonly missing: string
  readonly denied: string
}

/** Where a relationship leads, by OpenCTI's ids if it has them. A sighting leads to where it was made. */
function endsOf(entity: Entity): Readonly<Record<string, unknown>> {
  const first = (...names: readonly string[]) =>
    names.flatMap((name) => fieldOf(entity, name)).find((value) => value !== undefined)
  return {
    type: first('relationship_type') ?? entity.type,
    source_id: first('source_ref', 'sighting_of_ref'),
    source_type: first('source_type', 'sighting_of_type'),
    target_id: first('target_ref', 'where_sighted_refs'),
    target_type: first('target_type', 'where_sighted_types'),
    start_time: first('start_time', 'first_seen'),
    stop_time: first('stop_time', 'last_seen'),
  }
}

/** A part of a statement that removes the rows of these entities. */
function remove(sql: postgres.Sql, table: string, column: string, entities: readonly { id: string }[]) {
  if (entities.length === 0) return sql``
  const ids = JSON.stringify(entities.map(({ id }) => id))
  return sql`, ${sql(`remove_${table}`)} AS (
    DELETE FROM ${sql(table)} USING turn
    WHERE ${sql(column)} IN (SELECT json_array_elements_text(${ids}::text::json))
  )`
}

/** A part of a statement that writes these rows; a row with an `id` replaces the one that is there. */
function write(sql: postgres.Sql, table: string, rows: readonly object[]) {
  if (rows.length === 0) return sql``
  const columns = Object.keys(rows[0]!)
  const list = (prefix: string) => sql.unsafe(columns.map((name) => `${prefix}${name}`).join(', '))
  const replace = sql`ON CONFLICT (id) DO UPDATE SET (${list('')}) = (SELECT ${list('excluded.')})`
  return sql`, ${sql(`write_${table}`)} AS (
    INSERT INTO ${sql(table)} (${list('')})
    SELECT ${list('given.')}
    FROM turn, json_populate_recordset(NULL::${sql(table)}, ${JSON.stringify(rows)}::text::json) AS given
    ${columns.includes('id') ? replace : sql``}
  )`
}

/** A client with one connection, which opens it when a query needs it. When to try again is the base class's matter. */
function clientOf(
  { url, password, schema }: SettingsOf<typeof settings>['postgresql'],
  name: string,
  onEnd: () => void,
): postgres.Sql {
  const options = {
    password: password.reveal(),
    max: 1,
    backoff: false,
    fetch_types: false,
    socket: (address: Address) => dial(address).once('error', onEnd).once('close', onEnd),
    onnotice: () => {},
    connection: {
      application_name: name,
      search_path: schema,
      statement_timeout: 60_000,
    },
  }
  return postgres(url, options)
}

interface Address {
  readonly host: readonly string[]
  readonly port: readonly number[]
}

/** A server that hangs up is an error at once. Otherwise the client dials again and again while a query waits. */
function dial({ host: [host], port: [port] }: Address): Socket {
  // The client verifies a certificate by `host`.
  const socket = Object.assign(connect({ host: host!, port: port! }), { host })
  const hungUp = Object.assign(new Error('the server closed the connection'), { code: 'ECONNRESET' })
  const silent = Object.assign(new Error('the server does not answer'), { code: 'ETIMEDOUT' })
  socket.once('end', () => socket.destroy(hungUp))
  return socket.setTimeout(90_000, () => socket.destroy(silent))
}
