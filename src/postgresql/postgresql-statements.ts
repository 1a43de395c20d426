import { commitParameterCount } from './commit-parameters.ts'
import { claimColumns, deadLetterColumns, entityColumns, itemColumns } from './postgresql-rows.ts'
import { prefix } from './postgresql-schema.ts'

const fenceCount = 4
const parameters = Array.from({ length: fenceCount + commitParameterCount }, (_, index) => `$${index + 1}`)

const letters = (data: string) =>
  `SELECT ${deadLetterColumns}, ${data} AS data FROM ${prefix}_dead_letter WHERE connector = $1`

/** For each of many questions, the rows that answer it. */
const claimsOfEach = (of: 'entity' | 'key', by: 'entity' | 'key') =>
  `SELECT asked.place::integer AS place, found.*
   FROM unnest($2::text[], $3::text[], $4::integer[]) WITH ORDINALITY AS asked (${of}, after, most, place)
   CROSS JOIN LATERAL (SELECT ${claimColumns} FROM ${prefix}_claim AS claim WHERE connector = $1
     AND claim.${of} = asked.${of} AND claim.${by} > asked.after ORDER BY claim.${by} LIMIT asked.most) AS found`

/** All statements of a `PostgresqlStore`. The first parameter is the connector's number, unless it says otherwise. */
export const statements = {
  /** Parameters: id, copy, its name, seconds. */
  acquire: `SELECT connector, token, holder, last_commit FROM ${prefix}_acquire_1($1, $2, $3, $4)`,
  /** Parameters: number, token, seconds. */
  renew: `WITH renewed AS (
      UPDATE ${prefix}_lease SET expires_at = clock_timestamp() + make_interval(secs => $3)
      WHERE connector = $1 AND token = $2 RETURNING 1)
    SELECT EXISTS (SELECT FROM renewed) AS is_renewed, (SELECT holder FROM ${prefix}_lease WHERE connector = $1) AS holder`,
  release: `UPDATE ${prefix}_lease SET expires_at = '-infinity' WHERE connector = $1 AND token = $2`,
  holder: `SELECT holder FROM ${prefix}_lease WHERE connector = $1`,
  /** Parameter: id. */
  leader: `SELECT holder FROM ${prefix}_lease JOIN ${prefix}_connector ON number = connector
    WHERE id = $1 AND expires_at > clock_timestamp()`,
  /** Parameter: id. */
  connector: `SELECT number FROM ${prefix}_connector WHERE id = $1`,
  commit: `SELECT ${prefix}_commit_1(${parameters.join(', ')}) AS answer`,

  value: `SELECT value FROM ${prefix}_value WHERE connector = $1 AND name = $2`,
  values: `SELECT name, value FROM ${prefix}_value WHERE connector = $1 AND name > $2 AND name < $3
    ORDER BY name LIMIT $4`,
  countValues: `SELECT count(*) FROM ${prefix}_value WHERE connector = $1 AND name > $2 AND name < $3`,

  entitiesOf: `SELECT ${entityColumns} FROM ${prefix}_entity WHERE connector = $1 AND key = ANY ($2::text[])`,
  entitiesAt: `SELECT ${entityColumns} FROM ${prefix}_entity WHERE connector = $1 AND external_id = $2
    AND external_id <> stix_id AND external_id <> key LIMIT 100`,
  entities: `SELECT ${entityColumns} FROM ${prefix}_entity WHERE connector = $1 AND key > $2 ORDER BY key LIMIT $3`,
  expiring: `SELECT ${entityColumns} FROM ${prefix}_entity WHERE connector = $1 AND expires_at_ms <= $2
    ORDER BY expires_at_ms, key LIMIT $3`,
  countEntities: `SELECT count(*) FROM ${prefix}_entity WHERE connector = $1`,

  claimsOf: claimsOfEach('entity', 'key'),
  claimsOn: claimsOfEach('key', 'entity'),
  claims: `SELECT ${claimColumns} FROM ${prefix}_claim WHERE connector = $1 AND (key, entity) > ($2, $3)
    ORDER BY key, entity LIMIT $4`,
  countClaims: `SELECT count(*) FROM ${prefix}_claim WHERE connector = $1`,
  itemsOf: `SELECT ${itemColumns} FROM ${prefix}_item WHERE connector = $1 AND key = ANY ($2::text[])`,
  itemsAt: `SELECT ${itemColumns} FROM ${prefix}_item WHERE connector = $1 AND external_id = $2 LIMIT 100`,
  items: `SELECT ${itemColumns} FROM ${prefix}_item WHERE connector = $1 AND key > $2 ORDER BY key LIMIT $3`,
  countItems: `SELECT count(*) FROM ${prefix}_item WHERE connector = $1`,
  departures: `SELECT coalesce(full_key, key) AS key, position FROM ${prefix}_departure WHERE connector = $1`,

  deadLetter: `${letters('data')} AND id = $2`,
  deadLetters: `${letters('data')} AND id > $2 ORDER BY id LIMIT $3`,
  replays: `${letters('data')} AND replay IS NOT NULL AND id > $2 ORDER BY id LIMIT $3`,
  summaries: `${letters("''")} AND id > $2 ORDER BY id LIMIT $3`,
  newestSummaries: `${letters("''")} ORDER BY id DESC LIMIT $2`,
  countDeadLetters: `SELECT count(*) FROM ${prefix}_dead_letter WHERE connector = $1`,
  /** Once forced, always forced: a later request for all letters must not undo that. Undefined ids: all. */
  requestReplay: `WITH requested AS (
      UPDATE ${prefix}_dead_letter SET replay = CASE WHEN replay = 'forced' THEN 'forced' ELSE $2 END
      WHERE connector = $1 AND key IS NOT NULL AND ($3::bigint[] IS NULL OR id = ANY ($3)) RETURNING 1)
    SELECT count(*) FROM requested`,
} as const

/** Names one of the {@link statements}. */
export type StatementName = keyof typeof statements
