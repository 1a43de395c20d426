import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { MarkTable } from '../../src/reconcile/mark-table.ts'

test('remembers what was added, and marks only that', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string()),
      fc.array(fc.string()),
      fc.array(fc.string()),
      (added, marked, asked) => {
        const table = new MarkTable()
        for (const text of added) table.add(text)
        const known = new Set(added)
        const marks = new Set<string>()
        for (const text of marked) {
          expect(table.mark(text)).toBe(known.has(text))
          if (known.has(text)) marks.add(text)
        }
        // Growing keeps the marks.
        for (let index = 0; index < 2000; index++) table.add(`more ${index}`)
        expect(table.size).toBe(known.size + 2000)
        for (const text of [...added, ...marked, ...asked]) {
          expect(table.has(text)).toBe(known.has(text))
          expect(table.isMarked(text)).toBe(marks.has(text))
        }
      },
    ),
    { numRuns: 50 },
  )
})

test('holds a million ids in at most thirty bytes each, and tells them apart', () => {
  const table = new MarkTable()
  const idOf = (index: number) => `0b9c3a2e-4f0f-4c8e-9d8c-${index.toString(16).padStart(12, '0')}`
  for (let index = 0; index < 1_000_000; index++) table.add(idOf(index))
  expect(table.size).toBe(1_000_000)
  expect(table.bytes).toBeLessThan(30_000_000)
  for (let index = 1_000_000; index < 1_200_000; index++) expect(table.has(idOf(index))).toBe(false)
})
