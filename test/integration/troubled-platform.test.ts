import { describe, expect, test } from 'vitest'
import { buildIndicator, type Capability } from 'opencti-stream-connector/testing'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { runProgram } from '../fixtures/program.ts'
import { makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const failure = (code: string) =>
  JSON.stringify({ errors: [{ message: 'It went wrong', extensions: { code } }], data: null })

/** What a platform in trouble answers to GraphQL. */
const troubles: Record<string, { status: number; body: string }> = {
  ...Object.fromEntries(
    ['DATABASE_ERROR', 'LOCK_ERROR', 'UNKNOWN_ERROR', 'INTERNAL_SERVER_ERROR', 'TOO_MANY_REQUESTS'].map(
      (code) => [code, { status: 200, body: failure(code) }],
    ),
  ),
  'an error without a code': { status: 200, body: '{"errors":[{"message":"It went wrong"}]}' },
  'HTTP 500 with errors': { status: 500, body: failure('DATABASE_ERROR') },
  'HTTP 400 with errors': { status: 400, body: failure('UNKNOWN_ERROR') },
  'data of another shape': {
    status: 200,
    body: '{"data":{"registerConnector":7,"pingConnector":7,"streamCollection":7}}',
  },
  'no data at all': { status: 200, body: '{"data":null}' },
  'a list': { status: 200, body: '[]' },
  'errors that are words': { status: 200, body: '{"errors":["no"]}' },
}

describe('waits for a platform in trouble at the start', () => {
  for (const [what, refusal] of Object.entries(troubles)) {
    test.for([0, 1, 2])(`${what}, after %i good answers`, async (good) => {
      const simulator = await startSimulator()
      const recorder = makeRecorder(simulator)
      const asked = () => simulator.requests.filter(({ kind }) => kind === 'graphql').length
      const started = recorder.start()
      if (good === 0) simulator.faults.failGraphql(2, refusal)
      else {
        await until('the answers', () => asked() >= good)
        simulator.faults.failGraphql(2, refusal)
      }
      await started
      const { id } = simulator.create(buildIndicator('domain', { seed: 77 }))
      await until('the delivery of an event', () => recorder.callsOf(id).length > 0)
    })
  }
})

describe('exits with its own code for what only a person can fix', () => {
  test.for([
    ['a wrong token (AUTH_REQUIRED)', { OPENCTI_TOKEN: 'wrong-token' }, 3],
    ['a missing right (FORBIDDEN_ACCESS)', { capabilities: 'KNOWLEDGE' }, 3],
    ['an unknown stream', { CONNECTOR_LIVE_STREAM_ID: '0b6b3a3e-97d1-4a90-8a2e-5f9e04f0c001' }, 3],
    ['no stream', { CONNECTOR_LIVE_STREAM_ID: 'ChangeMe' }, 2],
  ] as const)(
    'such as %s',
    async ([, { capabilities, ...env }, code]: readonly [string, Record<string, string>, number]) => {
      const simulator = await startSimulator(
        capabilities === undefined ? {} : { capabilities: [capabilities as Capability] },
      )
      const program = runProgram(new URL('./careless-child.ts', import.meta.url), {
        ...minimalEnvironment,
        ...simulator.environment(),
        CONNECTOR_STATE_DIR: await temporaryFolder(),
        CRASH_TARGET: 'http://127.0.0.1:9',
        ...env,
      })
      expect(await program.exit, program.said()).toBe(code)
      // Said once, for a person.
      expect(
        program
          .said()
          .split('\n')
          .filter((line) => /OPENCTI_TOKEN|CONNECTOR_LIVE_STREAM_ID|CONNECTORAPI/.test(line)),
      ).toHaveLength(1)
    },
  )
})
