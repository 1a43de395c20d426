import { createParser } from 'eventsource-parser'
import { type Rate, Stopwatch } from './stopwatch.ts'

/**
 * The least that any client has to do: fetch, eventsource-parser, `JSON.parse`. No reconnect, no order, no state:
 * whatever breaks, loses events.
 */
export async function bareLoop(url: string, events: number): Promise<Rate> {
  const abort = new AbortController()
  const response = await fetch(`${url}/stream/events?from=0-0`, { signal: abort.signal })
  const decoder = new TextDecoder()
  let received = 0
  let characters = 0
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event !== 'create') return
      const envelope = JSON.parse(data) as { readonly data: { readonly id: string } }
      // Looked at, so that nothing of it can be left out.
      characters += envelope.data.id.length
      received++
    },
  })
  const stopwatch = new Stopwatch()
  for await (const chunk of response.body!) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    if (received >= events) break
  }
  const rate = stopwatch.rate(received)
  if (characters !== events * 'indicator--00000000-0000-4000-8000-000000000000'.length) {
    throw new Error(`The bare loop read ${received} events, but not those of this benchmark.`)
  }
  abort.abort()
  return rate
}
