import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresqlStore } from '../../src/postgresql/postgresql-store.ts'
import { checkedState, itWorksWithCommands } from '../store/commands.conformance.ts'
import { hasPostgresql, PostgresqlServer } from './start-postgresql.ts'

describe.runIf(hasPostgresql)('commands on a state in PostgreSQL', () => {
  let server: PostgresqlServer

  beforeAll(async () => {
    server = await PostgresqlServer.start()
  }, 60_000)

  afterAll(() => server[Symbol.asyncDispose]())

  itWorksWithCommands(async () => {
    const url = await server.database()
    return { url, store: (copyName) => new PostgresqlStore({ url, copyName }) }
  })

  test('check says whether the user may write, and never the password', async () => {
    const url = await server.database()
    await server.admin(`ALTER DATABASE ${new URL(url).pathname.slice(1)} OWNER TO admin`)
    expect(await checkedState({ CONNECTOR_STATE_URL: url })).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('CREATE') as string,
    })
    const refused = await checkedState({ CONNECTOR_STATE_URL: url.replace('p%40ss%2Fw0rd', 'wrong-one') })
    expect(refused).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('password') as string,
    })
    expect(refused.message).not.toContain('wrong-one')
  })
})
