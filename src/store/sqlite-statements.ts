import { type DatabaseSync } from 'node:sqlite'
import { deadLetterColumns, entityColumns } from './sqlite-rows.ts'

const selectDeadLetters =
  'SELECT dead_letter.*, kind AS replay FROM dead_letter LEFT JOIN replay ON replay.id = dead_letter.id'

/** Once forced it stays so: a later request for all of them must not take that back. */
const keepForced = "ON CONFLICT (id) DO UPDATE SET kind = iif(kind = 'forced', 'forced', excluded.kind)"

/** Every statement of a {@link SqliteStore}, prepared once. */
export type SqliteStatements = ReturnType<typeof prepareStatements>

export function prepareStatements(database: DatabaseSync) {
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    rollback: database.prepare('ROLLBACK'),
    countDurable: database.prepare("UPDATE meta SET value = value + 1 WHERE name = 'durable_commits'"),

    value: database.prepare('SELECT value FROM value WHERE name = ?'),
    putValue: database.prepare(
      'INSERT INTO value (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    ),
    deleteValue: database.prepare('DELETE FROM value WHERE name = ?'),

    entity: database.prepare(
      'SELECT stix_id, external_id, position, expires_at_ms FROM entity WHERE key = ?',
    ),
    firstEntities: database.prepare(`SELECT ${entityColumns} FROM entity ORDER BY key LIMIT ?`),
    entitiesAfter: database.prepare(`SELECT ${entityColumns} FROM entity WHERE key > ? ORDER BY key LIMIT ?`),
    expiring: database.prepare(
      `SELECT ${entityColumns} FROM entity WHERE expires_at_ms <= ? ORDER BY expires_at_ms, key LIMIT ?`,
    ),
    countEntities: database.prepare('SELECT count(*) AS count FROM entity'),
    putEntity: database.prepare(
      `INSERT INTO entity (${entityColumns}) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET stix_id = excluded.stix_id, external_id = excluded.external_id,
       position = excluded.position, expires_at_ms = excluded.expires_at_ms`,
    ),
    forgetPositions: database.prepare('UPDATE entity SET position = NULL WHERE position IS NOT NULL'),
    deleteEntity: database.prepare('DELETE FROM entity WHERE key = ?'),

    deadLetter: database.prepare(`${selectDeadLetters} WHERE dead_letter.id = ?`),
    deadLettersAfter: database.prepare(
      `${selectDeadLetters} WHERE dead_letter.id > ? ORDER BY dead_letter.id LIMIT ?`,
    ),
    replaysAfter: database.prepare(
      `SELECT dead_letter.*, kind AS replay FROM replay CROSS JOIN dead_letter USING (id)
       WHERE replay.id > ? ORDER BY replay.id LIMIT ?`,
    ),
    countDeadLetters: database.prepare('SELECT count(*) AS count FROM dead_letter'),
    addDeadLetter: database.prepare(
      `INSERT INTO dead_letter (${deadLetterColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    removeDeadLetter: database.prepare('DELETE FROM dead_letter WHERE id = ?'),
    requestReplay: database.prepare(
      `INSERT INTO replay (id, kind) SELECT id, ? FROM dead_letter WHERE id = ? ${keepForced}`,
    ),
    requestAllReplays: database.prepare(
      `INSERT INTO replay (id, kind) SELECT id, ? FROM dead_letter WHERE true ${keepForced}`,
    ),
  }
}
