/** First part of the names of all tables and functions. */
export const prefix = 'opencti_stream_connector'

/** Held while the schema is created or migrated, in the whole database: the letters OCSC. */
const schemaLock = 0x4f435343

/** Columns whose order must be that of code points, as in the other stores. */
const key = 'text COLLATE "C" NOT NULL'

/** Whether one position is before another, as `isEarlierPosition` says. */
const isEarlier = (one: string, other: string) => {
  const isPosition = (text: string) => `${text} ~ '^[0-9]{1,15}-[0-9]{1,15}$'`
  const pair = (text: string) => `(split_part(${text}, '-', 1)::bigint, split_part(${text}, '-', 2)::bigint)`
  return `CASE WHEN ${isPosition(one)} AND ${isPosition(other)} THEN ${pair(one)} < ${pair(other)} ELSE false END`
}

/**
 * Migrations from version n to n + 1. Only append: existing databases have run the older ones. During a rolling
 * update, copies of the older version go on with the new schema, so what they call must stay.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE ${prefix}_connector (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    last_commit bigint NOT NULL DEFAULT 0,
    last_letter bigint NOT NULL DEFAULT 0
  );

  -- Apart from the connector, whose row is locked while a commit runs: renewals must not wait for that.
  CREATE TABLE ${prefix}_lease (
    connector integer PRIMARY KEY REFERENCES ${prefix}_connector,
    token bigint NOT NULL DEFAULT 0,
    copy text NOT NULL DEFAULT '',
    holder text NOT NULL DEFAULT '',
    expires_at timestamptz NOT NULL DEFAULT '-infinity'
  );

  CREATE TABLE ${prefix}_value (
    connector integer NOT NULL,
    name ${key},
    value text NOT NULL,
    PRIMARY KEY (connector, name)
  );

  CREATE TABLE ${prefix}_entity (
    connector integer NOT NULL,
    key ${key},
    full_key text,
    stix_id text NOT NULL,
    external_id text,
    position text,
    expires_at_ms double precision,
    route text,
    caught_up_ms double precision,
    PRIMARY KEY (connector, key)
  );
  CREATE INDEX ${prefix}_entity_expiry ON ${prefix}_entity (connector, expires_at_ms, key)
    WHERE expires_at_ms IS NOT NULL;
  -- Entities that share a target id. An entity's own id cannot be shared. A hash, because ids may be long.
  CREATE INDEX ${prefix}_entity_external_id ON ${prefix}_entity USING hash (external_id)
    WHERE external_id <> stix_id AND external_id <> key;

  CREATE TABLE ${prefix}_claim (
    connector integer NOT NULL,
    entity ${key},
    key ${key},
    full_entity text,
    full_key text,
    item text NOT NULL,
    PRIMARY KEY (connector, entity, key)
  );
  CREATE INDEX ${prefix}_claim_key ON ${prefix}_claim (connector, key, entity);

  CREATE TABLE ${prefix}_item (
    connector integer NOT NULL,
    key ${key},
    full_key text,
    external_id text,
    item text NOT NULL,
    PRIMARY KEY (connector, key)
  );
  CREATE INDEX ${prefix}_item_external_id ON ${prefix}_item USING hash (external_id)
    WHERE external_id IS NOT NULL;

  CREATE TABLE ${prefix}_departure (
    connector integer NOT NULL,
    key ${key},
    full_key text,
    position text NOT NULL,
    PRIMARY KEY (connector, key)
  );

  CREATE TABLE ${prefix}_dead_letter (
    connector integer NOT NULL,
    id bigint NOT NULL,
    -- The same when it is added again, because the answer to the first commit was lost.
    mark text NOT NULL,
    key text,
    route text,
    event_type text NOT NULL,
    entity_id text,
    entity_type text,
    position text,
    attempts integer NOT NULL,
    first_at_ms double precision NOT NULL,
    last_at_ms double precision NOT NULL,
    error text NOT NULL,
    data text NOT NULL,
    replay text CHECK (replay IN ('requested', 'forced')),
    outdated_by text,
    PRIMARY KEY (connector, id)
  );
  CREATE UNIQUE INDEX ${prefix}_dead_letter_mark ON ${prefix}_dead_letter (connector, mark);
  CREATE INDEX ${prefix}_dead_letter_key ON ${prefix}_dead_letter USING hash (key) WHERE key IS NOT NULL;
  CREATE INDEX ${prefix}_dead_letter_replay ON ${prefix}_dead_letter (connector, id) WHERE replay IS NOT NULL;

  -- Acquires the lease, or says who holds it. The same copy asks again if the answer was lost.
  CREATE FUNCTION ${prefix}_acquire_1(
    of_id text, of_copy text, of_holder text, lease_seconds double precision,
    OUT connector integer, OUT token bigint, OUT holder text, OUT last_commit bigint
  ) LANGUAGE plpgsql AS $function$
  DECLARE
    found ${prefix}_lease;
  BEGIN
    SELECT c.number INTO connector FROM ${prefix}_connector c WHERE c.id = of_id;
    IF connector IS NULL THEN
      INSERT INTO ${prefix}_connector (id) VALUES (of_id) ON CONFLICT DO NOTHING;
      SELECT c.number INTO connector FROM ${prefix}_connector c WHERE c.id = of_id;
      INSERT INTO ${prefix}_lease (connector) VALUES (connector) ON CONFLICT DO NOTHING;
    END IF;
    SELECT * INTO found FROM ${prefix}_lease l WHERE l.connector = acquire_1.connector;
    IF found.expires_at > clock_timestamp() AND found.copy <> of_copy THEN
      holder := found.holder;
      RETURN;
    END IF;
    -- Waits for a commit of the former holder that is still running.
    SELECT * INTO found FROM ${prefix}_lease l WHERE l.connector = acquire_1.connector FOR UPDATE;
    IF found.expires_at > clock_timestamp() AND found.copy <> of_copy THEN
      holder := found.holder;
      RETURN;
    END IF;
    token := found.token + CASE WHEN found.copy = of_copy THEN 0 ELSE 1 END;
    UPDATE ${prefix}_lease l SET token = acquire_1.token, copy = of_copy, holder = of_holder,
      expires_at = clock_timestamp() + make_interval(secs => lease_seconds)
      WHERE l.connector = acquire_1.connector;
    SELECT c.last_commit INTO last_commit FROM ${prefix}_connector c WHERE c.number = connector;
  END $function$;

  -- Makes all changes, or answers why not. Without a token, it is a command that only touches dead letters.
  CREATE FUNCTION ${prefix}_commit_1(
    of_connector integer, of_token bigint, this_commit bigint, known_commit bigint, forgets_positions boolean,
    put_values json, put_entities json, remove_entities json, put_claims json, remove_claims json,
    put_items json, remove_items json, put_departures json, remove_departures json,
    add_letters json, update_letters json, outdate_letters json, remove_letters json
  ) RETURNS text LANGUAGE plpgsql AS $function$
  DECLARE
    last bigint;
    added bigint;
  BEGIN
    IF of_token IS NOT NULL THEN
      -- Whoever acquires the lease waits for this lock; renewals do not.
      PERFORM FROM ${prefix}_lease WHERE connector = of_connector AND token = of_token FOR KEY SHARE;
      IF NOT FOUND THEN RETURN 'lost'; END IF;
      SELECT last_commit INTO last FROM ${prefix}_connector WHERE number = of_connector FOR NO KEY UPDATE;
      IF last = this_commit THEN RETURN 'done'; END IF;
      IF last < known_commit THEN RETURN 'behind'; END IF;
      IF last > this_commit THEN RETURN 'late'; END IF;
      UPDATE ${prefix}_connector SET last_commit = this_commit WHERE number = of_connector;
    END IF;

    IF put_values IS NOT NULL THEN
      DELETE FROM ${prefix}_value v USING json_to_recordset(put_values) AS p(n text, v text)
        WHERE v.connector = of_connector AND v.name = p.n AND p.v IS NULL;
      INSERT INTO ${prefix}_value (connector, name, value)
        SELECT of_connector, p.n, p.v FROM json_to_recordset(put_values) AS p(n text, v text) WHERE p.v IS NOT NULL
        ON CONFLICT (connector, name) DO UPDATE SET value = excluded.value;
    END IF;
    IF forgets_positions THEN
      UPDATE ${prefix}_entity SET position = NULL, caught_up_ms = NULL
        WHERE connector = of_connector AND (position IS NOT NULL OR caught_up_ms IS NOT NULL);
      DELETE FROM ${prefix}_departure WHERE connector = of_connector;
    END IF;
    IF put_entities IS NOT NULL THEN
      INSERT INTO ${prefix}_entity
        (connector, key, full_key, stix_id, external_id, position, expires_at_ms, route, caught_up_ms)
        SELECT of_connector, k, f, s, x, p, e, r, c FROM json_to_recordset(put_entities)
          AS p(k text, f text, s text, x text, p text, e double precision, r text, c double precision)
        ON CONFLICT (connector, key) DO UPDATE SET stix_id = excluded.stix_id, external_id = excluded.external_id,
          position = excluded.position, expires_at_ms = excluded.expires_at_ms, route = excluded.route,
          caught_up_ms = excluded.caught_up_ms;
    END IF;
    IF remove_entities IS NOT NULL THEN
      DELETE FROM ${prefix}_entity e USING json_array_elements_text(remove_entities) AS k
        WHERE e.connector = of_connector AND e.key = k;
    END IF;
    IF put_claims IS NOT NULL THEN
      INSERT INTO ${prefix}_claim (connector, entity, key, full_entity, full_key, item)
        SELECT of_connector, e, k, g, f, i
          FROM json_to_recordset(put_claims) AS p(e text, k text, g text, f text, i text)
        ON CONFLICT (connector, entity, key) DO UPDATE SET item = excluded.item;
    END IF;
    IF remove_claims IS NOT NULL THEN
      DELETE FROM ${prefix}_claim c USING json_to_recordset(remove_claims) AS p(e text, k text)
        WHERE c.connector = of_connector AND c.entity = p.e AND c.key = p.k;
    END IF;
    IF put_items IS NOT NULL THEN
      INSERT INTO ${prefix}_item (connector, key, full_key, external_id, item)
        SELECT of_connector, k, f, x, i FROM json_to_recordset(put_items) AS p(k text, f text, x text, i text)
        ON CONFLICT (connector, key) DO UPDATE SET external_id = excluded.external_id, item = excluded.item;
    END IF;
    IF remove_items IS NOT NULL THEN
      DELETE FROM ${prefix}_item i USING json_array_elements_text(remove_items) AS k
        WHERE i.connector = of_connector AND i.key = k;
    END IF;
    IF put_departures IS NOT NULL THEN
      INSERT INTO ${prefix}_departure (connector, key, full_key, position)
        SELECT of_connector, k, f, p FROM json_to_recordset(put_departures) AS p(k text, f text, p text)
        ON CONFLICT (connector, key) DO UPDATE SET position = excluded.position;
    END IF;
    IF remove_departures IS NOT NULL THEN
      DELETE FROM ${prefix}_departure d USING json_array_elements_text(remove_departures) AS k
        WHERE d.connector = of_connector AND d.key = k;
    END IF;

    IF add_letters IS NOT NULL THEN
      SELECT last_letter INTO last FROM ${prefix}_connector WHERE number = of_connector FOR NO KEY UPDATE;
      INSERT INTO ${prefix}_dead_letter (connector, id, mark, key, route, event_type, entity_id, entity_type,
          position, attempts, first_at_ms, last_at_ms, error, data)
        SELECT of_connector, last + row_number() OVER (ORDER BY n), m, k, r, t, i, y, p, a, b, l, e, d
          FROM json_to_recordset(add_letters) AS p(n integer, m text, k text, r text, t text, i text, y text,
            p text, a integer, b double precision, l double precision, e text, d text)
          WHERE NOT EXISTS (SELECT FROM ${prefix}_dead_letter WHERE connector = of_connector AND mark = m);
      GET DIAGNOSTICS added = ROW_COUNT;
      UPDATE ${prefix}_connector SET last_letter = last + added WHERE number = of_connector;
    END IF;
    IF update_letters IS NOT NULL THEN
      UPDATE ${prefix}_dead_letter d SET attempts = p.a, last_at_ms = p.l, error = p.e,
          replay = CASE WHEN d.replay = p.r THEN NULL ELSE d.replay END
        FROM json_to_recordset(update_letters) AS p(i bigint, a integer, l double precision, e text, r text)
        WHERE d.connector = of_connector AND d.id = p.i;
    END IF;
    -- Without an id map, every event asks for this, and there is seldom a dead letter.
    IF outdate_letters IS NOT NULL
        AND EXISTS (SELECT FROM ${prefix}_dead_letter WHERE connector = of_connector) THEN
      UPDATE ${prefix}_dead_letter d SET outdated_by = p.p
        FROM json_to_recordset(outdate_letters) AS p(k text, p text)
        WHERE d.connector = of_connector AND d.key = p.k AND ${isEarlier('d.position', 'p.p')};
    END IF;
    IF remove_letters IS NOT NULL THEN
      DELETE FROM ${prefix}_dead_letter d USING json_array_elements_text(remove_letters) AS i
        WHERE d.connector = of_connector AND d.id = i::bigint;
    END IF;
    RETURN 'done';
  END $function$;
  `.replaceAll('acquire_1.', `${prefix}_acquire_1.`),
]

/** Schema version of this package. */
export const schemaVersion = migrations.length

/** Whether there is a schema. */
export const findSchema = `SELECT to_regclass('${prefix}_schema') IS NOT NULL AS is_there`

/** Version of the schema. */
export const readSchemaVersion = `SELECT version FROM ${prefix}_schema`

/** Creates or migrates the schema: one statement and thus one transaction, one copy after the other. */
export const migrateSchema = `
DO $migrate$
DECLARE
  present integer;
BEGIN
  PERFORM pg_advisory_xact_lock(${schemaLock});
  CREATE TABLE IF NOT EXISTS ${prefix}_schema (version integer NOT NULL);
  SELECT version INTO present FROM ${prefix}_schema;
  IF present IS NULL THEN
    INSERT INTO ${prefix}_schema VALUES (0);
    present := 0;
  END IF;
  ${migrations.map((migration, version) => `IF present <= ${version} THEN ${migration} END IF;`).join('\n')}
  UPDATE ${prefix}_schema SET version = ${schemaVersion} WHERE version < ${schemaVersion};
END $migrate$`
