import { type StateExamination } from '../store/state-store.ts'
import { parsePostgresqlUrl, placeOf } from './postgresql-address.ts'
import { PostgresqlConnection } from './postgresql-connection.ts'
import { findSchema, prefix } from './postgresql-schema.ts'
import { statements } from './postgresql-statements.ts'

const timeoutMs = 10_000

const tables = ['connector', 'lease', 'value', 'entity', 'claim', 'item', 'departure', 'dead_letter']

const mayCreate = `SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS has_right`

const mayWrite = `SELECT bool_and(has_table_privilege('${prefix}_' || name, each)) AS has_right
  FROM unnest($1::text[]) AS name, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS each`

/** Looks at a connector's state, and at the rights of the user, without changing anything. */
export async function examinePostgresql(url: string, owner: string): Promise<StateExamination> {
  const address = parsePostgresqlUrl(url)
  const place = placeOf(address)
  const connection = new PostgresqlConnection(address, timeoutMs)
  try {
    const [schema] = await connection.query<{ is_there: boolean }>(findSchema)
    if (!schema!.is_there) {
      const [found] = await connection.query<{ has_right: boolean }>(mayCreate)
      const missingRight = found!.has_right
        ? undefined
        : 'CREATE in the first schema of its search path, for the tables and functions of the state'
      return { place, exists: false, leader: undefined, missingRight, deadLetters: 0 }
    }
    const [found] = await connection.query<{ has_right: boolean }>(mayWrite, [tables])
    const missingRight = found!.has_right
      ? undefined
      : `SELECT, INSERT, UPDATE, and DELETE on the tables whose names begin with ${prefix}_`
    const [connector] = await connection.query<{ number: number }>(statements.connector, [owner])
    if (connector === undefined || missingRight !== undefined)
      return { place, exists: connector !== undefined, leader: undefined, missingRight, deadLetters: 0 }
    const [leader] = await connection.query<{ holder: string }>(statements.leader, [owner])
    const [letters] = await connection.query<{ count: string }>(statements.countDeadLetters, [
      connector.number,
    ])
    return { place, exists: true, leader: leader?.holder, missingRight, deadLetters: Number(letters!.count) }
  } finally {
    await connection.close()
  }
}
