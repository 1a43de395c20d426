import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { systemClock } from 'opencti-stream-connector'
import { expect, onTestFinished, test } from 'vitest'
import { FrameWriter } from '../../../src/testing/live/frame-writer.ts'

test('reports a connection as closed that is cut while its client leaves', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => {})
  client.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
  const { signal } = new AbortController()
  const writer = new FrameWriter(response, { clock: systemClock, signal, backPressure: true, gzip: false })
  const closed = once(response, 'close')
  let isEnding: boolean | undefined
  // The server ends its side too, and is cut in that moment.
  request.socket.on('end', () => {
    isEnding = request.socket.writableEnded
    writer.cut()
  })
  response.writeHead(200)
  writer.writeNow('data: 1\n\n')
  await once(client, 'data')
  client.end()
  await closed
  expect(isEnding).toBe(true)
})
