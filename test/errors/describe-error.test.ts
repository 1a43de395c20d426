import ky, { HTTPError } from 'ky'
import { expect, test } from 'vitest'
import { describeError } from '../../src/errors/verdict.ts'
import { serve } from '../fixtures/loopback.ts'

test('describes an HTTP error in one line, whatever the answer looks like', async () => {
  const url = await serve((_, response) => {
    response.writeHead(500, { 'content-type': 'text/plain' })
    response.end('<html>\r\n  <body>\n    broken\n  </body>\n</html>\n')
  })
  const error = await ky.get(url, { retry: 0 }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(HTTPError)
  expect(describeError(error)).toMatch(/500.*<html> <body> broken <\/body>/)
})

test('describes an error with several lines in one', () => {
  expect(describeError(new Error('it failed:\n  - here\r\n  - there'))).toBe('it failed: - here - there')
})

test('says what a database adds to its error', () => {
  const error = Object.assign(new Error('unsupported Unicode escape sequence'), {
    name: 'PostgresError',
    code: '22P05',
    detail: String.raw`\u0000 cannot be converted to text.`,
  })
  expect(describeError(error)).toBe(
    String.raw`PostgresError: unsupported Unicode escape sequence: \u0000 cannot be converted to text.`,
  )
})
