import { expect, test } from 'vitest'
import { cell, counted, printable, terminalJson } from '../../src/cli/output.ts'
import { cutTo, widthOf } from '../../src/cli/text-width.ts'

/** What a terminal obeys, or shows otherwise than it is: controls of both sets, line ends, turns of direction. */
const unsafe = '\u001b[2J\u0007\u009b2J\u009d0;owned\u009c\u007f\u2028\u202eevil\u2066'

test('foreign text cannot control a terminal', () => {
  expect(printable(unsafe)).toBe(' [2J  2J 0;owned    evil ')
})

test('JSON for a terminal cannot control it, and is the same JSON', () => {
  const json = JSON.stringify({ [unsafe]: unsafe, plain: 'ü ☃ 😀' })
  const safe = terminalJson(json, true)
  expect(safe).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u)
  expect(safe).toContain('ü ☃ 😀')
  expect(JSON.parse(safe)).toEqual(JSON.parse(json))
  expect(terminalJson(json, false)).toBe(json)
})

test('a cell takes exactly its columns of the terminal, whatever it contains', () => {
  for (const text of ['', 'indicator', 'a\u0301bc', '日本', '日本語テキスト', '😀😀😀😀', unsafe])
    expect({ text, width: widthOf(cell(text, 7)) }).toEqual({ text, width: 7 })
  expect(cell('indicator', 7)).toBe('indica…')
})

test.each([
  ['a family', '👩‍👩‍👧', 2],
  ['a flag', '🇩🇪', 2],
  ['a color of skin', '👍🏽', 2],
  ['a sign that is asked to be a picture', '❤️', 2],
  ['a rare Chinese character', '\u{20000}', 2],
  ['a letter with accents', 'e\u0301\u0323', 1],
])('%s takes its columns, and is cut as a whole or not at all', (_, text, columns) => {
  expect(widthOf(text)).toBe(columns)
  expect(cutTo(`${text}${text}`, columns + 1)).toBe(columns === 1 ? `${text}${text}` : `${text}…`)
  expect(cutTo(`${text}${text}${text}`, 2 * columns)).toBe(`${text}…`)
  expect(cutTo(text, columns)).toBe(text)
})

test('writes counts in the singular and in the plural', () => {
  expect([0, 1, 2].map((count) => counted(count, 'dead letter'))).toEqual([
    '0 dead letters',
    '1 dead letter',
    '2 dead letters',
  ])
  expect(counted(2, 'entity', 'entities')).toBe('2 entities')
})
