import * as fc from 'fast-check'
import { isStreamConnectorError } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect } from 'vitest'
import { until } from '../../fixtures/until.ts'
import { hostileJson } from './hostile-json.ts'
import { mutated, mutation } from './mutations.ts'
import { makeConnector, startPlatform } from './stage.ts'
import { testFuzz } from './test-fuzz.ts'

const good = JSON.stringify({
  data: {
    registerConnector: { id: 'x', connector_state: '{"start_from":"1-0"}', connector_user_id: 'u' },
    pingConnector: { id: 'x', connector_state: null },
    streamCollection: { id: 'live', name: 'live', stream_live: true, stream_public: false, filters: null },
    me: { id: 'u', name: 'n' },
    about: { version: '6.5.0' },
  },
})

const code = fc.constantFrom(
  'DATABASE_ERROR',
  'LOCK_ERROR',
  'UNKNOWN_ERROR',
  'INTERNAL_SERVER_ERROR',
  'TOO_MANY_REQUESTS',
  'FORBIDDEN_ACCESS',
  'AUTH_REQUIRED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'toString',
  '',
)

const body = fc.oneof(
  hostileJson,
  fc
    .tuple(code, fc.oneof(fc.string(), fc.constant('x'.repeat(100_000))))
    .map(([name, message]) =>
      JSON.stringify({ errors: [{ message, name, extensions: { code: name } }], data: null }),
    ),
  fc
    .array(mutation, { maxLength: 4 })
    .map((mutations) => Buffer.from(mutated(Buffer.from(good), mutations)).toString('latin1')),
  fc
    .tuple(fc.constantFrom('registerConnector', 'pingConnector', 'streamCollection', 'me'), fc.json())
    .map(([field, value]) => `{"data":{${JSON.stringify(field)}:${value}}}`),
  fc.constantFrom(
    '',
    '<!doctype html><title>Login</title>',
    '{"data":',
    '\uFEFF{}',
    'null',
    '{"errors":{}}',
    '{"errors":[[]]}',
  ),
  fc.constant(`{"data":"${'x'.repeat(2_000_000)}"}`),
)

const answer = fc.record({
  status: fc.constantFrom(200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 418, 429, 500, 502, 503),
  body,
  type: fc.constantFrom('application/json', 'text/html', '', 'application/json; charset=utf-16'),
})

const inputs = fc.record({
  good: fc.nat(4),
  answers: fc.array(fc.oneof({ weight: 9, arbitrary: answer }, fc.constant('reset' as const)), {
    minLength: 1,
    maxLength: 4,
  }),
})

/** Errors that only a person can fix; the connector waits for all others. */
const endings = [
  'PLATFORM_REFUSED',
  'PLATFORM_ERROR',
  'STREAM_NOT_FOUND',
  'STREAM_REFUSED',
  'SETTINGS_INVALID',
]

testFuzz(
  'waits for a platform whatever it answers, or ends the start with what a person can fix',
  inputs,
  async (input) => {
    await using simulator = await startPlatform()
    const connector = makeConnector(simulator)
    const asked = () => simulator.requests.filter(({ kind }) => kind === 'graphql').length
    const fail = () => {
      for (const each of input.answers) {
        if (each === 'reset') simulator.faults.failGraphql(1, each)
        else {
          const { status, type } = each
          simulator.faults.failGraphql(1, {
            status,
            body: each.body,
            headers: type === '' ? {} : { 'content-type': type },
          })
        }
      }
    }
    try {
      if (input.good === 0) fail()
      const started = connector.start().then(
        () => undefined,
        (error: unknown) => error,
      )
      if (input.good > 0) {
        await until('good answers', () => asked() >= input.good || connector.status().state === 'running')
        fail()
      }
      const error = await started
      if (error === undefined) {
        const { id } = simulator.create(buildIndicator('domain', { seed: 77 }))
        await until('an event', () => connector.callsOf(id).length > 0)
        return
      }
      expect(isStreamConnectorError(error)).toBe(true)
      const { code: ending, message } = error as Error & { code: string }
      expect(endings).toContain(ending)
      expect(message.length).toBeLessThan(2000)
      expect(message).not.toContain(simulator.environment()['OPENCTI_TOKEN'])
    } finally {
      await connector.stop()
      await connector.finished.catch(() => undefined)
    }
  },
)
