import * as fc from 'fast-check'
import { beforeAll, expect } from 'vitest'
import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { afterAll } from 'vitest'
import { Reading } from '../../fixtures/reading.ts'
import { badFrame, goodFrame } from './frames.ts'
import { testFuzz } from './test-fuzz.ts'

/** The content of the next connection, in these chunks. */
let pieces: readonly Uint8Array[] = []
let server: Server
let url: string

beforeAll(async () => {
  server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const piece of pieces) response.write(piece)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const between = fc.constantFrom('\n\n', '\r\n\r\n', '\r\r', '\n\n\n')

const inputs = fc.record({
  frames: fc.array(fc.tuple(badFrame, between), { maxLength: 12 }),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }),
})

testFuzz(
  'the stream reader loses no good frame between bad bytes, however they are cut',
  inputs,
  async (input) => {
    const good = input.frames.map((_, index) => goodFrame(index, `${1000 + index}-0`))
    const bytes = Buffer.concat(
      input.frames.flatMap(([bad, end], index) => [
        bad,
        // Ends an incomplete character or line.
        Buffer.from(`\n\n${good[index]}${end}`),
      ]),
    )
    const last = Buffer.from(`${goodFrame(99, '9999-0')}\n\n`)
    const whole = Buffer.concat([bytes, last])
    const places = [0, ...input.cuts.map((cut) => Math.floor(cut * whole.length)), whole.length].toSorted(
      (a, b) => a - b,
    )
    pieces = places.slice(1).map((end, index) => whole.subarray(places[index], end))

    const reading = new Reading(url)
    try {
      await reading.notice('connected')
      const found = (id: string) =>
        reading.messages.find((message) => message.id === id && message.event === 'create')
      const isOver = () => found('9999-0') !== undefined
      for (const startMs = performance.now(); !isOver() && performance.now() - startMs < 20_000;)
        await new Promise((resolve) => setImmediate(resolve))
      expect(isOver()).toBe(true)
      const ids = good.map((_, index) => `${1000 + index}-0`)
      for (const [index, id] of ids.entries()) {
        const data = good[index]!.split('\ndata: ')[1]
        expect(found(id)?.data).toBe(data)
      }
      expect(reading.messages.map(({ id }) => id).filter((id) => ids.includes(id!))).toEqual(ids)
      expect(reading.kinds).not.toContain('broken')
    } finally {
      await reading.stop()
    }
  },
)
