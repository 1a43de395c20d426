import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compactId, textOfId } from '../../src/store/compact-id.ts'

const uuid = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

/** Ids as platforms and targets have them, and texts that differ from one in a character. */
const id = fc
  .tuple(
    fc.constantFrom('', 'indicator--', 'bank-account--', 'x-new-type--', '--', 'indicator-', '@'),
    fc.uuid(),
    fc.constantFrom('', '@chat', '@', '@é', 'chat', '@a--b', '\0', '@\0'),
  )
  .map((parts) => parts.join(''))
const nearlyAnId = fc
  .tuple(id, fc.nat(), fc.constantFrom('A', 'g', '-', '', '\0', 'é', '\u{1f600}', ' '))
  .map(([text, at, other]) => text.slice(0, at % text.length) + other + text.slice((at % text.length) + 1))
const text = fc.oneof(id, nearlyAnId, fc.string({ unit: 'grapheme' }), fc.constantFrom('', '\0', 'a\0b'))

describe('an id in a state file', () => {
  it('is the same text when it is read, whatever it is', () => {
    fc.assert(
      fc.property(text, (each) => {
        expect(textOfId(compactId(each))).toBe(each)
      }),
      { numRuns: 2000 },
    )
  })

  it('takes 16 bytes for a UUID, and one more for its STIX type', () => {
    expect(compactId(uuid)).toHaveLength(16)
    expect(compactId(`indicator--${uuid}`)).toHaveLength(17)
    expect(compactId(`relationship--${uuid}@chat`)).toHaveLength(22)
    expect(compactId(`${uuid}@chat`)).toHaveLength(21)
  })

  it('is text if its bytes would mean another text, or save nothing', () => {
    const others = [
      uuid.toUpperCase(),
      `{${uuid}}`,
      uuid.replaceAll('-', ''),
      `x-new-type--${uuid}`,
      'T-1',
      '',
    ]
    expect(others.map(compactId)).toEqual(others)
  })

  it('is never text with a NUL, at which Node 22 ends it', () => {
    fc.assert(fc.property(text, (each) => typeof compactId(each) !== 'string' || !each.includes('\0')))
  })

  it('has the order of its text among those that begin with a UUID', () => {
    const key = fc.tuple(fc.uuid(), fc.constantFrom('', '@a', '@b', '@ab')).map((parts) => parts.join(''))
    const bytes = (one: string) => compactId(one) as Uint8Array
    fc.assert(
      fc.property(key, key, (one, other) => {
        expect(Math.sign(Buffer.compare(bytes(one), bytes(other)))).toBe(
          one < other ? -1 : Number(one > other),
        )
      }),
    )
  })

  it('that no text becomes is reported as damage', () => {
    const damaged = [Buffer.alloc(15), Buffer.concat([Buffer.alloc(16), Buffer.of(0xbf)])]
    for (const bytes of damaged)
      expect(() => textOfId(bytes)).toThrow(expect.objectContaining({ errcode: 11 }))
  })
})
