import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstMs, largeFrame, liveFrames } from './live-frames.ts'

/**
 * A platform in a process of its own that has its frames ready, so that what is measured is the client:
 * `node bench/frames-server.ts <frames>`. Writes its address to standard output. Streams: `events`, and `large`, where
 * one event in fifty is a report of 20 MB, until there were twenty.
 */
const count = Number(process.argv[2] ?? 100_000)
const events = liveFrames(count)

const largeBytes = 20_000_000
const largeFrames = 20
/** Ordinary events before each large one. */
const spacing = 50

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('disconnect', () => process.exit())

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (pathname === '/graphql') {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ data: dataFor(JSON.parse(await text(request)) as GraphqlRequest) }))
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.write('event: connected\ndata: {"connectionId":"1"}\n\n')
  // The check before the start only looks at the status.
  if (!searchParams.has('from')) return
  await pipeline(pathname.endsWith('/large') ? largeStream() : eventStream(), response)
}

async function* eventStream(): AsyncGenerator<Buffer> {
  yield* events
  for (let beat = 1; ; beat++) {
    yield Buffer.from(`id: ${firstMs + count + beat * 20_000}-0\nevent: heartbeat\ndata: ""\n\n`)
    await sleep(1000)
  }
}

async function* largeStream(): AsyncGenerator<Buffer> {
  // Before the ordinary events, and so with smaller positions.
  let index = -largeFrames * (spacing + 1)
  for (let frame = 0; frame < largeFrames; frame++) {
    yield* liveFrames(spacing, index)
    index += spacing
    yield* largeFrame(index++, largeBytes)
  }
  yield* eventStream()
}

interface GraphqlRequest {
  readonly query: string
  readonly variables: { readonly id?: string; readonly state?: string }
}

function dataFor({ query, variables: { id, state } }: GraphqlRequest): unknown {
  if (query.includes('registerConnector')) {
    return { registerConnector: { id: 'bench', connector_state: null, connector_user_id: 'bench' } }
  }
  if (query.includes('pingConnector')) return { pingConnector: { id, connector_state: state } }
  return { streamCollection: { id, name: 'Bench', stream_live: true } }
}
