import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { framesOf, lastMs, streamOf } from './live-frames.ts'

/**
 * A platform in a separate process with prepared frames, so that only the client is measured. Writes its address to
 * standard output. A stream's name describes its content, see `FrameStream`; the stream `mixed` has a report of 20 MB
 * after every fifty events. `POST /items` is a bulk sink, and `POST /item?ms=…` accepts one item after that time.
 */
const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('disconnect', () => process.exit())

const mixedFrames = 20

/** The streams requested last, generated once. */
const ready = new Map<string, readonly Buffer[]>()
const maxReady = 3

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (request.method === 'POST') {
    const body = pathname === '/items' ? await discarded(request) : await text(request)
    response.setHeader('content-type', 'application/json')
    if (pathname === '/item') await sleep(Number(searchParams.get('ms')))
    const answer =
      pathname === '/graphql' ? { data: dataFor(JSON.parse(body) as GraphqlRequest) } : { ok: true }
    response.end(JSON.stringify(answer))
    return
  }
  const name = pathname.slice('/stream/'.length)
  // Generated before the head of the answer, because clients start their clock with that.
  const frames = name === 'mixed' ? undefined : chunksOf(name)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.write('id: 0-0\nevent: connected\ndata: {"connectionId":"1"}\n\n')
  // The check at startup only reads the status; pycti uses headers and a different parameter.
  if (
    !searchParams.has('from') &&
    !searchParams.has('recover') &&
    request.headers['last-event-id'] === undefined
  )
    return
  await pipeline(frames === undefined ? mixed() : withHeartbeats(frames, lastMs(streamOf(name))), response)
}

/** Only reads the bytes: making a text of batches took the time of the process that also sends the stream. */
async function discarded(request: IncomingMessage): Promise<string> {
  await once(request.resume(), 'end')
  return ''
}

function chunksOf(name: string): readonly Buffer[] {
  const chunks = ready.get(name) ?? [...framesOf(streamOf(name))]
  ready.delete(name)
  ready.set(name, chunks)
  if (ready.size > maxReady) ready.delete(ready.keys().next().value!)
  return chunks
}

async function* withHeartbeats(frames: Iterable<Buffer>, afterMs: number): AsyncGenerator<Buffer> {
  yield* frames
  for (let beat = 1; ; beat++) {
    yield Buffer.from(`id: ${afterMs + beat * 20_000}-0\nevent: heartbeat\ndata: ""\n\n`)
    await sleep(1000)
  }
}

async function* mixed(): AsyncGenerator<Buffer> {
  const ordinary = { kind: 'create', count: 1000, frameBytes: 1536, chunkBytes: 0 } as const
  const large = { kind: 'create', count: mixedFrames, frameBytes: 20_000_000, chunkBytes: 65_536 } as const
  const reports = framesOf(large)
  let number = 0
  for (const frame of framesOf(ordinary)) {
    yield frame
    if (++number % 50 !== 0) continue
    const chunks = Math.ceil(large.frameBytes / large.chunkBytes)
    for (let chunk = 0; chunk < chunks; chunk++) yield reports.next().value as Buffer
  }
  yield* withHeartbeats([], firstAfter(ordinary.count))
}

function firstAfter(count: number): number {
  return lastMs({ kind: 'create', count, frameBytes: 0, chunkBytes: 0 })
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
