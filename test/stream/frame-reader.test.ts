import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endOfBlankLine, startOfStream, FrameReader } from '../../src/stream/frame-reader.ts'
import { type StreamMessage } from '../../src/stream/stream-message.ts'

/** The messages of `bytes`, cut at the given places. */
function messagesOf(bytes: Uint8Array, cuts: readonly number[], maxFrameBytes = 1 << 20): StreamMessage[] {
  const reader = new FrameReader({ maxFrameBytes })
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return places.slice(1).flatMap((end, index) => reader.push(bytes.subarray(places[index], end)))
}

const withoutBytes = (messages: readonly StreamMessage[]) =>
  messages.map(({ id, event, data, truncated }) => ({ id, event, data, truncated }))

const all = (text: string) => messagesOf(Buffer.from(text), [])

const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
const value = fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', ' ', ':', '{', '\\'), maxLength: 40 })
const line = fc.oneof(
  value.map((text) => `data: ${text}`),
  value.map((text) => `id: ${text}`),
  fc.constantFrom(
    'event: create',
    'event: heartbeat',
    'event:',
    ': comment',
    'retry: 10',
    'unknown: x',
    'dat',
    'data',
  ),
)
const block = fc
  .tuple(fc.array(line, { maxLength: 5 }), lineEnd)
  .map(([lines, end]) => [...lines, '', ''].join(end))
const streamText = fc
  .tuple(
    fc.constantFrom('', '\uFEFF'),
    fc.array(block, { maxLength: 12 }),
    fc.constantFrom('', 'data: half', 'id: 7\n'),
  )
  .map(([mark, blocks, rest]) => mark + blocks.join('') + rest)
const cuts = fc.array(fc.nat(), { maxLength: 30 })

describe('any cut of the bytes gives the same messages', () => {
  test('with frames of any shape', () => {
    fc.assert(
      fc.property(streamText, cuts, (text, places) => {
        const bytes = Buffer.from(text)
        const expected = withoutBytes(messagesOf(bytes, []))
        expect(withoutBytes(messagesOf(bytes, places))).toEqual(expected)
        expect(withoutBytes(messagesOf(bytes, Array.from(bytes.keys())))).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })

  test('with oversized frames among them', () => {
    const frames = fc.array(
      fc.record({
        length: fc.oneof(fc.nat(300), fc.integer({ min: 700, max: 3000 })),
        end: lineEnd,
        comment: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    )
    fc.assert(
      fc.property(frames, cuts, (described, places) => {
        const text = described
          .map(({ length, end, comment }, id) =>
            [
              ...(comment ? [': note', ''] : []),
              `id: ${id}-0`,
              'event: create',
              `data: ${'x'.repeat(length)}`,
              '',
              '',
            ].join(end),
          )
          .join('')
        const messages = messagesOf(Buffer.from(text), places, 500)
        expect(withoutBytes(messages)).toEqual(
          described.map(({ length }, id) => ({
            id: `${id}-0`,
            event: 'create',
            data: 'x'.repeat(length),
            truncated: length > 500 ? true : undefined,
          })),
        )
        for (const [index, { bytes }] of messages.entries()) {
          const { length } = described[index]!
          expect(Math.abs(bytes - length)).toBeLessThan(60)
        }
      }),
      { numRuns: 300 },
    )
  })
})

test('an id without data is a separate message, in its place', () => {
  expect(
    withoutBytes(all('id: 1\n\nid: 2\n\ndata: x\n\nid: 3\ndata: y\n\nid: 4\nevent: heartbeat\n\n')),
  ).toEqual([
    { id: '1', event: '', data: '' },
    { id: '2', event: '', data: '' },
    { id: undefined, event: 'message', data: 'x' },
    { id: '3', event: 'message', data: 'y' },
    { id: '4', event: '', data: '' },
  ])
})

test('a message does not inherit the id of an earlier one', () => {
  expect(all('id: 1\ndata: x\n\ndata: y\n\n').map(({ id }) => id)).toEqual(['1', undefined])
})

test('reports the size of messages within a few percent', () => {
  const text = `id: 1-0\nevent: create\ndata: "${'€'.repeat(1000)}"\n\n`
  const [message] = all(text)
  expect(message!.bytes / Buffer.byteLength(text)).toBeCloseTo(1, 1)
})

test('comments are never mistaken for one large frame', () => {
  const reader = new FrameReader({ maxFrameBytes: 200 })
  for (let index = 0; index < 1000; index++) expect(reader.push(Buffer.from(': still here\n\n'))).toEqual([])
  expect(reader.push(Buffer.from('id: 1\ndata: x\n\n'))).toHaveLength(1)
})

test('a frame that never ends does not fill the memory', () => {
  const reader = new FrameReader({ maxFrameBytes: 1 << 20 })
  reader.push(Buffer.from('id: 1\nevent: create\ndata: '))
  const chunk = Buffer.alloc(1 << 16, 'x')
  for (let index = 0; index < 64; index++) reader.push(chunk)
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 4096; index++) expect(reader.push(chunk)).toEqual([])
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20)
  const [oversized, next] = reader.push(Buffer.from('\n\nid: 2\ndata: y\n\n'))
  expect(oversized).toMatchObject({ id: '1', event: 'create', truncated: true })
  expect(oversized!.bytes).toBeCloseTo(4160 * 65_536, -3)
  expect(next).toMatchObject({ id: '2', data: 'y' })
})

test('a frame of many chunks costs in proportion to its size', () => {
  costMs(5)
  // Sixteenfold, with room for noise; a quadratic reader would need 256 times as long.
  expect(costMs(80)).toBeLessThan(costMs(5) * 100 + 200)
})

test('passes on the wait that the server asks for', () => {
  const asked: number[] = []
  const reader = new FrameReader({ maxFrameBytes: 1000, onRetry: (ms) => asked.push(ms) })
  reader.push(Buffer.from('retry: 3000\n\nretry: soon\n\n'))
  expect(asked).toEqual([3000])
})

test('finds the same blank lines as a line-by-line search', () => {
  const text = fc.string({ unit: fc.constantFrom('\n', '\r', 'a'), maxLength: 12 })
  fc.assert(
    fc.property(text, text, fc.constantFrom('first' as const, 'last' as const), (before, after, which) => {
      const whole = before + after
      const ends: number[] = []
      let lineStart = 0
      for (const { index, 0: end } of whole.matchAll(/\r\n|\r|\n/g)) {
        const next = index + end.length
        // A CR at the end of the text before has ended its line already, whatever comes.
        if (index === lineStart && index >= before.length) ends.push(next - before.length)
        lineStart = next
      }
      const code = before === '' ? startOfStream : before.charCodeAt(before.length - 1)
      expect(endOfBlankLine(after, code, which)).toBe(ends.at(which === 'first' ? 0 : -1) ?? -1)
    }),
    { numRuns: 2000 },
  )
})

/** How long a frame of that size takes, in chunks of 64 KiB. */
function costMs(megabytes: number): number {
  const reader = new FrameReader({ maxFrameBytes: 128 << 20 })
  const chunk = Buffer.alloc(1 << 16, 'x')
  const start = performance.now()
  reader.push(Buffer.from('data: '))
  for (let index = 0; index < megabytes * 16; index++) reader.push(chunk)
  expect(reader.push(Buffer.from('\n\n'))[0]!.data).toHaveLength(megabytes << 20)
  return performance.now() - start
}
