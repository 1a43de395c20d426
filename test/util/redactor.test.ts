import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Redactor } from '../../src/util/redactor.ts'

const secretText = fc.string({ minLength: 6, maxLength: 40, unit: 'binary' })

function redactorOf(...secrets: string[]): Redactor {
  const redactor = new Redactor()
  for (const secret of secrets) redactor.add(secret)
  return redactor
}

test('removes a secret from any text around it, plain, in a URL and in JSON', () => {
  fc.assert(
    fc.property(secretText, fc.string(), fc.string(), (secret, before, after) => {
      const redactor = redactorOf(secret)
      expect(redactor.clean(`${before}${secret}${after}`)).not.toContain(secret)
      expect(redactor.clean(`?key=${encodeURIComponent(secret)}&x`)).toBe('?key=[redacted]&x')
      expect(redactor.clean(`"${JSON.stringify(secret).slice(1, -1)}"`)).toBe('"[redacted]"')
    }),
  )
})

test('removes a secret from base64, wherever it is in the encoded text', () => {
  const secret = 'canary-0a1b2c3d4e5f'
  for (const before of ['', 'u', 'us', 'user:']) {
    for (const after of ['', '@', '@h', ':tail']) {
      const encoded = Buffer.from(`${before}${secret}${after}`).toString('base64')
      const cleaned = redactorOf(secret).clean(`authorization: Basic ${encoded}`)
      expect(cleaned).toContain('[redacted]')
      const rest = Buffer.from(
        cleaned.replace('authorization: Basic ', '').split('[redacted]').join(''),
        'base64',
      )
      expect(rest.toString('latin1')).not.toContain(secret.slice(4, -4))
    }
  }
})

test('removes the longer of two secrets whole, and leaves short words alone', () => {
  expect(redactorOf('secret-1', 'secret-1-and-more').clean('a secret-1-and-more b')).toBe('a [redacted] b')
  expect(redactorOf('abc').clean('abc def')).toBe('abc def')
})

test('treats a secret as text, not as a pattern', () => {
  expect(redactorOf('a.b*c+(d)[e]').clean('x a.b*c+(d)[e] y axbxc')).toBe('x [redacted] y axbxc')
})

test('accepts secrets of any length and any number', () => {
  const long = [25_000, 100_000, 1_000_000].map((length) => `x${String(length).repeat(length / 5)}`)
  const many = Array.from({ length: 2000 }, (_, index) => `canary-${index}-of-many`)
  const redactor = redactorOf(...long, ...many)
  for (const secret of [...long, many[0]!, many[1999]!])
    expect(redactor.clean(`a ${secret} b`)).toBe('a [redacted] b')
})

test('accepts a secret with half a character in it', () => {
  expect(redactorOf('half-\ud800-one').clean('a half-\ud800-one b')).toBe('a [redacted] b')
})
