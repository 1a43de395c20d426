import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect, onTestFinished, test } from 'vitest'
import { startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { makeObserved, readiness } from '../../fixtures/make-observed.ts'
import { scaled } from '../scale.ts'

/** The beginning of a request that is never finished. */
const halves = [
  '',
  'GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-more: ',
  'GET /',
  'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n',
]

test('a thousand clients that never finish a request delay neither the connector nor /readyz', async () => {
  const simulator = await startSimulator()
  const connector = makeObserved(simulator)
  await connector.start()
  await until('readiness', () => connector.status().notReady.length === 0)
  const port = Number(new URL(connector.status().endpoints.health!).port)
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  const count = scaled(200, 1000)
  for (let index = 0; index < count; index++) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(halves[index % halves.length]!)
    if (index % 100 !== 99) continue
    expect(await readiness(connector)).toMatchObject({ status: 200, ready: true })
    const { id } = simulator.create(buildIndicator('ipv4', { seed: index }))
    await until('an event', () => connector.callsOf(id).length === 1)
  }
  expect(sockets).toHaveLength(count)
})
