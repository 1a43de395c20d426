import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Redactor } from '../../src/util/redactor.ts'
import { shortened } from '../../src/util/shortened.ts'

const canary = 'Zq7-canary/9Xv+"k&5 w'

const redactor = new Redactor()
redactor.add(canary)

/** The longest beginning of the canary, in any of its spellings, that stands in `text`. */
function shownOf(text: string): number {
  const json = JSON.stringify(canary).slice(1, -1)
  const basic = Buffer.from(canary).toString('base64')
  const shown = [canary, encodeURIComponent(canary), json, basic].map((spelling) => {
    let length = 0
    while (length < spelling.length && text.includes(spelling.slice(0, length + 1))) length++
    return length
  })
  return Math.max(...shown)
}

const spelled = fc.constantFrom(
  canary,
  encodeURIComponent(canary),
  JSON.stringify(canary).slice(1, -1),
  Buffer.from(canary).toString('base64'),
)

test('leaves at most three characters of a secret where a text was cut, however it is spelled', () => {
  const filling = fc.string({ unit: fc.constantFrom('x', ' ', '.', '"', '…', '😀'), maxLength: 60 })
  fc.assert(
    fc.property(filling, spelled, filling, fc.nat(120), filling, (before, secret, after, max, behind) => {
      const cut = shortened(`${before}${secret}${after}`, max)
      expect(shownOf(redactor.clean(`HTTP 500: ${cut}${behind}`))).toBeLessThan(4)
      expect(shownOf(redactor.clean(JSON.stringify({ error: cut, more: behind })))).toBeLessThan(4)
    }),
    { numRuns: 2000 },
  )
})

test('does the same where others have cut it, with dots or in the middle of a quotation', () => {
  for (let length = 4; length < canary.length; length++) {
    const piece = canary.slice(0, length)
    expect(redactor.clean(`at ${piece}... and more`)).toMatch(/^at \[redacted\]"?\.\.\. and more$/)
    expect(redactor.clean(`at "${piece}"... is not valid JSON`)).toBe('at "[redacted]"... is not valid JSON')
  }
  expect(redactor.clean(`cut without a mark: ${canary.slice(0, 14)}`)).toBe('cut without a mark: [redacted]')
})

test('leaves words alone that no cut has ended', () => {
  for (const text of ['Zq7-', 'Zq7-ca', 'Zq7-c and …', 'Zq7… Zq7', '…', '...', ''])
    expect(redactor.clean(text)).toBe(text)
})

test('takes time in proportion to the text, whatever repeats in it and in the secret', () => {
  const repeating = new Redactor()
  for (const secret of [`${'a'.repeat(60_000)}b`, `${'ab'.repeat(30_000)}c`, '....…....…x'.repeat(5000)])
    repeating.add(secret)
  for (const text of [
    'a'.repeat(200_000),
    'a…'.repeat(50_000),
    'aaaaab...'.repeat(20_000),
    '.'.repeat(100_000),
  ])
    expect(repeating.clean(`${text}x`).length).toBeGreaterThan(0)
})

test('never leaves half a character where it cuts', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.nat(30), (text, max) => {
      const cut = shortened(text, max)
      expect(Buffer.from(cut).toString()).toBe(cut)
      expect(cut.length).toBeLessThanOrEqual(max + 1)
    }),
  )
})
