import { createParser } from 'eventsource-parser'
import { type Rate, Stopwatch } from './stopwatch.ts'

const batchItems = 1000
const maxInFlight = 4

/**
 * The minimum that any client does which sends batches of 1000 to an HTTP sink: it reads, splits, and parses as the bare loop,
 * and sends with fetch, as many batches at a time as a connector.
 */
export async function bareBatches(streamUrl: string, sinkUrl: string, events: number): Promise<Rate> {
  const abort = new AbortController()
  const { body } = await fetch(`${streamUrl}?from=0-0`, { signal: abort.signal })
  const decoder = new TextDecoder()
  const inFlight = new Set<Promise<void>>()
  const headers = { 'content-type': 'application/json' }
  let items: unknown[] = []
  let received = 0
  const send = async (batch: readonly unknown[]): Promise<void> => {
    const response = await fetch(sinkUrl, { method: 'POST', headers, body: JSON.stringify(batch) })
    await response.json()
  }
  const close = () => {
    const sent = send(items).finally(() => inFlight.delete(sent))
    inFlight.add(sent)
    items = []
  }
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event !== 'create') return
      received++
      if (items.push((JSON.parse(data) as { readonly data: unknown }).data) === batchItems) close()
    },
  })
  const stopwatch = new Stopwatch()
  for await (const chunk of body!) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    while (inFlight.size >= maxInFlight) await Promise.race(inFlight)
    if (received >= events) break
  }
  if (items.length > 0) close()
  await Promise.all(inFlight)
  const rate = stopwatch.rate(events)
  abort.abort()
  return rate
}
