import type { DatabaseSync } from 'node:sqlite'
import { compactEntities } from './compact-entities.ts'
import { StateError } from '../errors/state-error.ts'
import { corruptState } from './sqlite-failure.ts'

/** Marks the file as ours (SQLite's `application_id`): the letters OCSC. */
const applicationId = 0x4f435343

/**
 * Migrations from version n to n + 1 (SQLite's `user_version`). Only append: existing files have run the
 * older ones.
 */
export const migrations: readonly (string | ((database: DatabaseSync) => void))[] = [
  `
  CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE value (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- With a rowid, new rows go to the end of the table; only the index of the random keys changes all over the file.
  CREATE TABLE entity (
    key TEXT PRIMARY KEY NOT NULL,
    stix_id TEXT NOT NULL,
    external_id TEXT,
    position TEXT,
    expires_at_ms INTEGER
  ) STRICT;
  CREATE INDEX entity_expiry ON entity (expires_at_ms, key) WHERE expires_at_ms IS NOT NULL;

  -- ANY: text with a NUL character is stored as a blob, because Node 22 truncates text at a NUL when reading.
  CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT,
    event_type ANY NOT NULL,
    entity_id TEXT,
    entity_type TEXT,
    position TEXT,
    attempts INTEGER NOT NULL,
    first_at_ms INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL,
    error ANY NOT NULL,
    data ANY NOT NULL
  ) STRICT;
  -- Small, so counting reads this index instead of every page of data.
  CREATE INDEX dead_letter_count ON dead_letter (id);

  -- A separate table, because a column in dead_letter would rewrite the data with each change.
  CREATE TABLE replay (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('requested', 'forced'))
  ) STRICT;
  -- A trigger, because the sqlite3 program does not enforce foreign keys.
  CREATE TRIGGER dead_letter_removed AFTER DELETE ON dead_letter
    BEGIN DELETE FROM replay WHERE id = old.id; END;

  INSERT INTO meta VALUES ('durable_commits', '0');
  `,
  `
  -- The position of a newer event of the same entity that has ended since. A separate table, like replay.
  CREATE TABLE outdated (
    id INTEGER PRIMARY KEY,
    position TEXT NOT NULL
  ) STRICT;
  CREATE INDEX dead_letter_key ON dead_letter (key, position) WHERE key IS NOT NULL;
  DROP TRIGGER dead_letter_removed;
  CREATE TRIGGER dead_letter_removed AFTER DELETE ON dead_letter
    BEGIN
      DELETE FROM replay WHERE id = old.id;
      DELETE FROM outdated WHERE id = old.id;
    END;
  `,
  `
  ALTER TABLE entity ADD COLUMN route TEXT;
  -- A separate table: a new column would come after the data, so SQLite would have to read past it.
  CREATE TABLE dead_letter_route (
    id INTEGER PRIMARY KEY,
    route TEXT NOT NULL
  ) STRICT;
  DROP TRIGGER dead_letter_removed;
  CREATE TRIGGER dead_letter_removed AFTER DELETE ON dead_letter
    BEGIN
      DELETE FROM replay WHERE id = old.id;
      DELETE FROM outdated WHERE id = old.id;
      DELETE FROM dead_letter_route WHERE id = old.id;
    END;
  `,
  `
  -- Entities withdrawn by an event that the saved position has not passed yet.
  CREATE TABLE departure (
    key TEXT PRIMARY KEY,
    position TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Entities that share a target id. An entity's own id cannot be shared.
  CREATE INDEX IF NOT EXISTS entity_external_id ON entity (external_id) WHERE external_id <> stix_id AND external_id <> key;
  `,
  `
  ALTER TABLE entity ADD COLUMN caught_up_ms INTEGER;
  `,
  `
  -- The items that each entity claims, by key, for targets that hold values.
  CREATE TABLE claim (
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (entity, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claim_key ON claim (key, entity);

  -- The target's item under each key.
  CREATE TABLE item (
    key TEXT PRIMARY KEY,
    external_id TEXT,
    item TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX item_external_id ON item (external_id) WHERE external_id IS NOT NULL;
  `,
  compactEntities,
]

/** Schema version of this package. */
export const schemaVersion = migrations.length

/**
 * Verifies that an opened file is ours, and migrates its schema.
 *
 * @throws StateError `STATE_CORRUPT` for a foreign file, `STATE_UNREADABLE` for a newer version, or for an
 *   older one that must not be changed.
 */
export function migrate(database: DatabaseSync, options: { fileName: string; mayChange: boolean }): void {
  const { fileName, mayChange } = options
  const version = pragma(database, 'user_version')
  const isOurs = pragma(database, 'application_id') === applicationId
  const isEmpty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
  if (!isOurs && !isEmpty) throw corruptState(fileName)
  if (version > schemaVersion) {
    throw new StateError(
      'STATE_UNREADABLE',
      `The state file ${fileName} was written by a newer version of opencti-stream-connector. ` +
        'Use that version or a newer one.',
    )
  }
  if (version === schemaVersion) return
  if (!mayChange) {
    throw new StateError(
      'STATE_UNREADABLE',
      `The state file ${fileName} is incomplete or from an older version. Start the connector once to update it.`,
    )
  }
  // New indexes are sorted in memory, because a container may have no place for temporary files.
  database.exec('PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; BEGIN IMMEDIATE')
  // Before the first table, so that our files always carry the mark.
  database.exec(`PRAGMA application_id = ${applicationId}`)
  for (const migration of migrations.slice(version)) {
    if (typeof migration === 'string') database.exec(migration)
    else migration(database)
  }
  database.exec(`PRAGMA user_version = ${schemaVersion}; COMMIT`)
}

/**
 * Claims the file for an owner. Returns whether it had none before.
 *
 * @throws StateError `STATE_FOREIGN` if it belongs to another connector id.
 */
export function claim(
  database: DatabaseSync,
  options: { owner: string; fileName: string; mayChange: boolean },
): boolean {
  const { owner, fileName, mayChange } = options
  const row = database.prepare("SELECT value FROM meta WHERE name = 'owner'").get()
  const found = row?.['value']
  if (found === undefined) {
    if (mayChange) database.prepare("INSERT INTO meta VALUES ('owner', ?)").run(owner)
    return true
  }
  if (found !== owner) {
    throw new StateError(
      'STATE_FOREIGN',
      `The state file ${fileName} in the state folder (CONNECTOR_STATE_DIR) belongs to another connector id. ` +
        'Give this connector its own folder, or restore its previous CONNECTOR_ID.',
    )
  }
  return false
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
}
