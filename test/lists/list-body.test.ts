import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo } from 'node:net'
import ky from 'ky'
import { expect, onTestFinished, test } from 'vitest'
import { listBody } from '../../src/index.ts'

/** A server that takes what is put to it, as fast as it is let. */
async function takingServer(onRequest: (request: IncomingMessage) => Promise<void> = async () => {}) {
  const taken: { text: string; encoding: string | undefined }[] = []
  const server = createServer((request, response) => {
    void (async () => {
      await onRequest(request)
      let text = ''
      for await (const bytes of request.setEncoding('utf8')) text += bytes as string
      taken.push({ text, encoding: request.headers['transfer-encoding'] })
      response.end('taken')
    })().catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/list`, taken }
}

test('uploads a list while it is made, and says afterward what it left out', async () => {
  const { url, taken } = await takingServer()
  const body = listBody([{ key: 'a.example' }, { key: 'b\nc' }, { key: 'é' }], { format: 'plain' })
  await ky.put(url, { body, duplex: 'half', retry: 0 })
  expect(taken).toEqual([{ text: 'a.example\né\n', encoding: 'chunked' }])
  expect(body.leftOut).toMatchObject({ count: 1, examples: [{ key: 'b\\u000ac' }] })
})

test('takes no item before the server has room for it', async () => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  let hasBegun = () => {}
  const begun = new Promise<void>((resolve) => (hasBegun = resolve))
  const { url, taken } = await takingServer(async () => {
    hasBegun()
    await opened
  })
  let count = 0
  function* items() {
    for (; count < 1_000_000; count++) yield { key: `domain-name:host-${count}.example` }
  }
  const upload = ky.put(url, { body: listBody(items(), { format: 'plain' }), duplex: 'half', retry: 0 })
  await begun
  let before = -1
  // Until the buffers of the two sockets are full.
  while (before !== count) {
    before = count
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  expect(count).toBeLessThan(900_000)
  open()
  await upload
  expect(taken[0]!.text.length).toBe(19_888_890)
}, 60_000)

test('an error in the items breaks the upload off, and the server never takes half a list for a whole one', async () => {
  const { url, taken } = await takingServer()
  async function* failing() {
    for (let index = 0; index < 10_000; index++) yield { key: `host-${index}.example` }
    throw new Error('the state cannot be read')
  }
  await expect(
    ky.put(url, { body: listBody(failing(), { format: 'plain' }), duplex: 'half', retry: 0 }),
  ).rejects.toThrow()
  expect(taken).toEqual([])
})

test('stops reading items if somebody gives up on the body', async () => {
  let hasEnded = false
  function* items() {
    try {
      for (;;) yield { key: 'a.example' }
    } finally {
      hasEnded = true
    }
  }
  const reader = listBody(items(), { format: 'plain' }).getReader()
  await reader.read()
  await reader.cancel()
  expect(hasEnded).toBe(true)
})
