import * as fc from 'fast-check'

/** Mutations of bytes in transit: changed, lost, repeated, or inserted. */
export type Mutation =
  | { readonly kind: 'flip' | 'cut' | 'double' | 'lose'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }

const place = fc.double({ min: 0, max: 1, noNaN: true })

/** Places are fractions of the whole, so that they stay valid for a smaller input. */
export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('flip' as const, 'cut' as const, 'double' as const, 'lose' as const),
    at: place,
    length: fc.integer({ min: 1, max: 64 }),
  }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: place,
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom('\n', '\r', '\n\n', '\0', ':', '"', '\\', '}', '\uFEFF', 'id: ', 'data: ').map(bytesOf),
      // Half a character, an overlong one, and half of one beyond the basic plane.
      fc.constantFrom([0xe2, 0x82], [0xc0, 0xaf], [0xed, 0xa0, 0x80]).map((bytes) => Uint8Array.from(bytes)),
    ),
  }),
)

export function mutated(bytes: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  let result = Buffer.from(bytes)
  for (const change of mutations) {
    const at = Math.floor(change.at * result.length)
    const [before, after] = [result.subarray(0, at), result.subarray(at)]
    if (change.kind === 'insert') result = Buffer.concat([before, change.bytes, after])
    else if (change.kind === 'cut') result = Buffer.from(before)
    else if (change.kind === 'lose') result = Buffer.concat([before, after.subarray(change.length)])
    else if (change.kind === 'double')
      result = Buffer.concat([before, after.subarray(0, change.length), after])
    else if (after.length > 0) result[at] = result[at]! ^ (1 << (change.length % 8))
  }
  return result
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text)
}
