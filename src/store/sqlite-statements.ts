import type { DatabaseSync } from 'node:sqlite'
import { deadLetterColumns, entityColumns } from './sqlite-rows.ts'

const marks = 'replay.kind AS replay, outdated.position AS outdated_by, dead_letter_route.route AS route'
const joinMarks =
  'LEFT JOIN replay USING (id) LEFT JOIN outdated USING (id) LEFT JOIN dead_letter_route USING (id)'
const selectDeadLetters = `SELECT dead_letter.*, ${marks} FROM dead_letter ${joinMarks}`
/** `data` is the last column: SQLite does not read past the last column requested. */
const selectWithoutData = `SELECT dead_letter.id, ${deadLetterColumns
  .replace(', data', '')
  .replaceAll(/\w+/g, 'dead_letter.$&')}, '' AS data, ${marks} FROM dead_letter ${joinMarks}`
const deadLetterPage = 'WHERE dead_letter.id > ? ORDER BY dead_letter.id LIMIT ?'

/** The key that was asked for need not be read. */
const withoutKey = entityColumns.replace('key, ', '')

/** Once forced, always forced: a later request for all letters must not undo that. */
const keepForced = "ON CONFLICT (id) DO UPDATE SET kind = iif(kind = 'forced', 'forced', excluded.kind)"

/** Entities per statement that writes or reads several. SQLite allows 32,766 parameters, but more than these gain nothing. */
export const entitiesAtOnce = 20

const putEntities = (rows: number) =>
  `INSERT INTO entity (${entityColumns}) VALUES ${Array(rows).fill('(?, ?, ?, ?, ?, ?, ?)').join(', ')}
   ON CONFLICT (key) DO UPDATE SET stix_id = excluded.stix_id, external_id = excluded.external_id,
   position = excluded.position, expires_at_ms = excluded.expires_at_ms, route = excluded.route, caught_up_ms = excluded.caught_up_ms`

/** All prepared statements of a {@link SqliteStore}. */
export type SqliteStatements = ReturnType<typeof prepareStatements>

export function prepareStatements(database: DatabaseSync) {
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    rollback: database.prepare('ROLLBACK'),
    countDurable: database.prepare("UPDATE meta SET value = value + 1 WHERE name = 'durable_commits'"),
    putNumber: database.prepare(
      "INSERT INTO meta VALUES ('last_number', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ),
    lastNumber: database.prepare("SELECT value FROM meta WHERE name = 'last_number'"),

    value: database.prepare('SELECT value FROM value WHERE name = ?'),
    valuesAfter: database.prepare(
      'SELECT name, value FROM value WHERE name > ? AND name < ? ORDER BY name LIMIT ?',
    ),
    countValues: database.prepare('SELECT count(*) AS count FROM value WHERE name > ? AND name < ?'),
    putValue: database.prepare(
      'INSERT INTO value (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    ),
    deleteValue: database.prepare('DELETE FROM value WHERE name = ?'),

    entity: database.prepare(`SELECT ${withoutKey} FROM entity WHERE key = ?`),
    // CROSS JOIN keeps the order of the tables: from the keys to the entities. NULL matches none.
    entitiesOf: database.prepare(
      `WITH asked (place, key) AS (VALUES ${Array.from({ length: entitiesAtOnce }, (_, place) => `(${place}, ?)`).join(', ')})
       SELECT place, ${withoutKey} FROM asked CROSS JOIN entity USING (key)`,
    ),
    firstEntities: database.prepare(`SELECT ${entityColumns} FROM entity ORDER BY key LIMIT ?`),
    entitiesAfter: database.prepare(`SELECT ${entityColumns} FROM entity WHERE key > ? ORDER BY key LIMIT ?`),
    // Matches the index: an entity's own id belongs to no other.
    entitiesAt: database.prepare(
      `SELECT ${entityColumns} FROM entity WHERE external_id = ? AND external_id <> stix_id AND external_id <> key LIMIT 100`,
    ),
    expiring: database.prepare(
      `SELECT ${entityColumns} FROM entity WHERE expires_at_ms <= ? ORDER BY expires_at_ms, key LIMIT ?`,
    ),
    countEntities: database.prepare('SELECT count(*) AS count FROM entity'),
    putEntity: database.prepare(putEntities(1)),
    putEntities: database.prepare(putEntities(entitiesAtOnce)),
    forgetPositions: database.prepare(
      'UPDATE entity SET position = NULL, caught_up_ms = NULL WHERE position IS NOT NULL OR caught_up_ms IS NOT NULL',
    ),
    deleteEntity: database.prepare('DELETE FROM entity WHERE key = ?'),

    claimsOf: database.prepare(
      'SELECT entity, key, item FROM claim WHERE entity = ? AND key > ? ORDER BY key LIMIT ?',
    ),
    claimsOn: database.prepare(
      'SELECT entity, key, item FROM claim WHERE key = ? AND entity > ? ORDER BY entity LIMIT ?',
    ),
    claimsAfter: database.prepare(
      'SELECT entity, key, item FROM claim WHERE (key, entity) > (?, ?) ORDER BY key, entity LIMIT ?',
    ),
    putClaim: database.prepare(
      'INSERT INTO claim (entity, key, item) VALUES (?, ?, ?) ON CONFLICT (entity, key) DO UPDATE SET item = excluded.item',
    ),
    deleteClaim: database.prepare('DELETE FROM claim WHERE entity = ? AND key = ?'),

    item: database.prepare('SELECT key, external_id, item FROM item WHERE key = ?'),
    itemsAt: database.prepare('SELECT key, external_id, item FROM item WHERE external_id = ? LIMIT 100'),
    itemsAfter: database.prepare(
      'SELECT key, external_id, item FROM item WHERE key > ? ORDER BY key LIMIT ?',
    ),
    countItems: database.prepare('SELECT count(*) AS count FROM item'),
    countClaims: database.prepare('SELECT count(*) AS count FROM claim'),
    putItem: database.prepare(
      'INSERT INTO item (key, external_id, item) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET external_id = excluded.external_id, item = excluded.item',
    ),
    deleteItem: database.prepare('DELETE FROM item WHERE key = ?'),

    departures: database.prepare('SELECT key, position FROM departure'),
    putDeparture: database.prepare(
      'INSERT INTO departure (key, position) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET position = excluded.position',
    ),
    removeDeparture: database.prepare('DELETE FROM departure WHERE key = ?'),
    removeDepartures: database.prepare('DELETE FROM departure'),

    deadLetter: database.prepare(`${selectDeadLetters} WHERE dead_letter.id = ?`),
    deadLettersAfter: database.prepare(`${selectDeadLetters} ${deadLetterPage}`),
    summariesAfter: database.prepare(`${selectWithoutData} ${deadLetterPage}`),
    newestSummaries: database.prepare(`${selectWithoutData} ORDER BY dead_letter.id DESC LIMIT ?`),
    replaysAfter: database.prepare(
      `SELECT dead_letter.*, ${marks} FROM replay CROSS JOIN dead_letter USING (id)
       LEFT JOIN outdated USING (id) LEFT JOIN dead_letter_route USING (id) WHERE replay.id > ? ORDER BY replay.id LIMIT ?`,
    ),
    anyDeadLetter: database.prepare('SELECT 1 FROM dead_letter LIMIT 1'),
    countDeadLetters: database.prepare('SELECT count(*) AS count FROM dead_letter'),
    addDeadLetter: database.prepare(
      `INSERT INTO dead_letter (${deadLetterColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    putRoute: database.prepare('INSERT INTO dead_letter_route (id, route) VALUES (?, ?)'),
    removeDeadLetter: database.prepare('DELETE FROM dead_letter WHERE id = ?'),
    updateDeadLetter: database.prepare(
      'UPDATE dead_letter SET attempts = ?, last_at_ms = ?, error = ? WHERE id = ?',
    ),
    deadLettersOfKey: database.prepare('SELECT id, position FROM dead_letter WHERE key = ?'),
    outdate: database.prepare(
      'INSERT INTO outdated (id, position) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET position = excluded.position',
    ),
    requestReplay: database.prepare(
      `INSERT INTO replay (id, kind) SELECT id, ? FROM dead_letter WHERE id = ? AND key IS NOT NULL ${keepForced}`,
    ),
    requestAllReplays: database.prepare(
      `INSERT INTO replay (id, kind) SELECT id, ? FROM dead_letter WHERE key IS NOT NULL ${keepForced}`,
    ),
    answerReplay: database.prepare('DELETE FROM replay WHERE id = ? AND kind = ?'),
  }
}
