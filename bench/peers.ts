import { get, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { createParser } from 'eventsource-parser'
import { EventSource } from 'eventsource'
import { createEventSource } from 'eventsource-client'
import { request } from 'undici'
import { framesRead } from './frames-read.ts'
import { type Rate, Stopwatch } from './stopwatch.ts'

/** Reads this many events of the stream at a URL with one client, and measures its speed. */
type Peer = (url: string, events: number) => Promise<Rate>

/**
 * The clients that the connector is compared with. Each reads and splits the stream and parses the JSON; none has order,
 * retries, state, or a lossless stop.
 */
export const peers: Readonly<Record<string, Peer>> = {
  /** The minimum that any client does. */
  fetch: async (url, events) => {
    const abort = new AbortController()
    const { body } = await fetch(`${url}?from=0-0`, { signal: abort.signal })
    const rate = await parsed(body!, events)
    abort.abort()
    return rate
  },
  'node:http': async (url, events) => {
    const sent = get(`${url}?from=0-0`)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const rate = await parsed(response, events)
    sent.destroy()
    return rate
  },
  undici: async (url, events) => {
    const abort = new AbortController()
    const { body } = await request(`${url}?from=0-0`, { signal: abort.signal })
    body.on('error', () => {})
    const rate = await parsed(body, events)
    abort.abort()
    return rate
  },
  eventsource: async (url, events) => {
    const { onData, whole } = framesRead(events)
    const stopwatch = new Stopwatch()
    const source = new EventSource(`${url}?from=0-0`)
    for (const name of ['create', 'update'])
      source.addEventListener(name, ({ data }) => onData(data as string))
    await whole
    const rate = stopwatch.rate(events)
    source.close()
    return rate
  },
  /** With an awaited handler, as a program that processes each event would use it. */
  'eventsource-client': async (url, events) => {
    const { onData, whole } = framesRead(events)
    const handle = async (data: string): Promise<void> => onData(data)
    const stopwatch = new Stopwatch()
    const source = createEventSource(`${url}?from=0-0`)
    for await (const { event, data } of source) {
      if (event !== 'create' && event !== 'update') continue
      await handle(data)
      if (whole.isDone) break
    }
    const rate = stopwatch.rate(events)
    source.close()
    return rate
  },
}

async function parsed(body: AsyncIterable<Uint8Array>, events: number): Promise<Rate> {
  const decoder = new TextDecoder()
  const { onData, whole } = framesRead(events)
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === 'create' || event === 'update') onData(data)
    },
  })
  const stopwatch = new Stopwatch()
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    if (whole.isDone) break
  }
  return stopwatch.rate(events)
}
