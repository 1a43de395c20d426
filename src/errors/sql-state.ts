/**
 * Statuses by the class of an SQLSTATE, its first two characters. Classes are those of the SQL standard and of
 * PostgreSQL (PostgreSQL documentation, appendix A, "PostgreSQL Error Codes").
 */
const statusOfClass: ReadonlyMap<string, number> = new Map([
  ['08', 503], // no connection
  ['0A', 422], // feature not supported
  ['21', 422], // cardinality
  ['22', 422], // a value that does not fit its column
  ['23', 422], // constraint
  ['28', 401], // user or password
  ['3D', 403], // no such database
  ['3F', 422], // no such schema
  ['40', 503], // rolled back: deadlock, serialization
  ['42', 422], // no such table, no such column, syntax
  ['44', 422], // check option of a view
  ['53', 503], // out of disk, memory, or connections
  ['54', 422], // larger than the database can hold
  ['55', 503], // locked, in use
  ['57', 503], // shutting down, starting up
  ['58', 503], // an error of the operating system
  ['P0', 422], // raised by a trigger or procedure
  ['XX', 500], // a bug, damaged data
])

/** Statuses of single SQLSTATEs that mean something else than their class. */
const statusOfState: ReadonlyMap<string, number> = new Map([
  ['23505', 409], // unique: it is there already
  ['25006', 503], // read-only: a standby, until it takes over
  ['25P03', 503], // idle for too long in a transaction
  ['42501', 403], // a right is missing
  ['57014', 504], // canceled, usually by a time limit
])

const sqlState = /^[0-9A-Z]{5}$/

/**
 * Returns the HTTP status that calls for the same reaction as an SQLSTATE; undefined for anything else, and for states that
 * do not say whose fault it was, such as MySQL's `HY000`.
 */
export function statusOfSqlState(state: unknown): number | undefined {
  if (typeof state !== 'string' || !sqlState.test(state)) return undefined
  return statusOfState.get(state) ?? statusOfClass.get(state.slice(0, 2))
}
