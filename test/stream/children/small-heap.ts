// Reads three messages of the event stream at the address that it is given, and says what it has seen of them.
import ky from 'ky'
import { EventStream } from '../../../src/stream/event-stream.ts'
import { type StreamMessage } from '../../../src/stream/stream-message.ts'
import { systemClock } from '../../../src/util/clock.ts'

const stop = new AbortController()
const seen: Pick<StreamMessage, 'id' | 'bytes' | 'truncated'>[] = []
const stream = new EventStream({
  http: ky.create({ retry: 0 }),
  url: process.argv[2]!,
  handler: {
    query: () => ({}),
    onMessages: (messages) => {
      seen.push(...messages.map(({ id, bytes, truncated }) => ({ id, bytes, truncated })))
      if (seen.length >= 3) stop.abort()
    },
    onNotice: () => {},
  },
  clock: systemClock,
  random: Math.random,
})
await stream.run(stop.signal)
process.stdout.write(JSON.stringify(seen))
