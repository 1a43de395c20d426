import { expect, test } from 'vitest'
import { wholeNumberFrom } from '../../src/cli/whole-number.ts'

test('accepts every whole number from the minimum on', () => {
  expect(['0', '1', '8080'].map(wholeNumberFrom(0))).toEqual([0, 1, 8080])
  expect(wholeNumberFrom(1)('1')).toBe(1)
})

test('refuses anything but a whole number, and an unset shell variable', () => {
  for (const text of ['', ' ', '-1', '1.5', '1e99', 'ten', 'NaN'])
    expect(() => wholeNumberFrom(0)(text), text).toThrow('Must be a whole number from 0.')
  expect(() => wholeNumberFrom(1)('0')).toThrow('Must be a whole number from 1.')
})
