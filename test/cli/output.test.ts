import { expect, test } from 'vitest'
import { printable, terminalJson } from '../../src/cli/output.ts'

/** What a terminal obeys, or shows otherwise than it is: controls of both sets, line ends, turns of direction. */
const unsafe = '\u001b[2J\u0007\u009b2J\u009d0;owned\u009c\u007f\u2028\u202eevil\u2066'

test('text of others cannot steer a terminal', () => {
  expect(printable(unsafe)).toBe(' [2J  2J 0;owned    evil ')
})

test('JSON for a terminal cannot steer it, and is the same JSON', () => {
  const json = JSON.stringify({ [unsafe]: unsafe, plain: 'ü ☃ 😀' })
  const safe = terminalJson(json, true)
  expect(safe).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u)
  expect(safe).toContain('ü ☃ 😀')
  expect(JSON.parse(safe)).toEqual(JSON.parse(json))
  expect(terminalJson(json, false)).toBe(json)
})
