import { inspect } from 'node:util'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { isSecretSchema, Secret, secret } from '../../src/util/secret.ts'

const canary = 'canary-4f1d2c'

test('a secret only reveals its value to reveal()', () => {
  const value = new Secret(canary)
  expect(value.reveal()).toBe(canary)
  const printed = [
    `${value}`,
    '' + value,
    String(value),
    value.toString(),
    JSON.stringify({ value }),
    inspect(value),
    inspect({ deep: { value } }, { depth: 9, showHidden: true }),
    inspect(value, { customInspect: false, showHidden: true }),
    JSON.stringify({ ...value }),
    JSON.stringify(Object.entries(value)),
    JSON.stringify(structuredClone(value)),
  ]
  for (const text of printed) expect(text).not.toContain(canary)
  expect(`${value}`).toBe('[redacted]')
  expect(JSON.stringify([value])).toBe('["[redacted]"]')
})

test('secret() composes like any schema and stays recognizable', () => {
  const schema = secret().describe('Key').meta({ title: 'Key' })
  expect(isSecretSchema(schema)).toBe(true)
  expect(isSecretSchema(z.string().transform((text) => text))).toBe(false)
  const parsed = z.object({ one: secret(), two: secret().optional() }).parse({ one: canary })
  expect(parsed.one.reveal()).toBe(canary)
  expect(parsed.two).toBeUndefined()
  expectTypeOf(parsed.one).toEqualTypeOf<Secret>()
  expectTypeOf(parsed.two).toEqualTypeOf<Secret | undefined>()
})
