import { expect, test } from 'vitest'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { runProgram } from '../fixtures/program.ts'
import { until } from '../fixtures/until.ts'

test('a message about PostgreSQL names host, port, and database, and never the password', async () => {
  const place = '127.0.0.1:1/state_of_all_stream_connectors'
  const { said } = runProgram('copy-child.ts', {
    ...minimalEnvironment,
    CONNECTOR_STATE_URL: `postgres://ann:sesame-4711@${place}?sslmode=verify-full`,
  })
  await until('the message', () => said().includes('The state cannot be opened yet'))
  expect(said()).toContain(`The state in PostgreSQL (${place}, CONNECTOR_STATE_URL)`)
  expect(said()).not.toMatch(/sesame|redacted/)
})
