import { expect, test } from 'vitest'
import { wholeNumberFrom } from '../../src/cli/whole-number.ts'

test('a whole number is taken from the least one on', () => {
  expect(['0', '1', '8080'].map(wholeNumberFrom(0))).toEqual([0, 1, 8080])
  expect(wholeNumberFrom(1)('1')).toBe(1)
})

test('what is no whole number is refused, and so is a variable of the shell that is not set', () => {
  for (const text of ['', ' ', '-1', '1.5', '1e99', 'ten', 'NaN'])
    expect(() => wholeNumberFrom(0)(text), text).toThrow('It takes a whole number from 0.')
  expect(() => wholeNumberFrom(1)('0')).toThrow('It takes a whole number from 1.')
})
