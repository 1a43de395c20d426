import ky from 'ky'
import { type EventStreamHandler } from '../../src/stream/event-stream-handler.ts'
import { EventStream, type EventStreamOptions } from '../../src/stream/event-stream.ts'
import { type StreamMessage } from '../../src/stream/stream-message.ts'
import { type StreamNotice } from '../../src/stream/stream-notice.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

export const token = 'Bearer 7a1c3c1e-5a1b-4f9e-9d53-0f8f0e7f5f11'

/** A stream that is read, and all that came of it. */
export class Reading {
  readonly clock = new ManualClock()
  readonly messages: StreamMessage[] = []
  /** What has been read of the bodies of all answers, in bytes. */
  bytes = 0
  readonly notices: StreamNotice[] = []
  readonly stream: EventStream
  readonly ended: Promise<void>
  readonly #stop = new AbortController()

  constructor(
    url: string,
    handler: Partial<EventStreamHandler> = {},
    limits: EventStreamOptions['limits'] = {},
  ) {
    this.stream = new EventStream({
      http: ky.create({
        headers: { authorization: token },
        retry: 5,
        timeout: 50,
        fetch: async (request, init) => this.#counted(await fetch(request, init)),
      }),
      url,
      handler: {
        query: () => ({}),
        ...handler,
        onMessages: (messages) => {
          this.messages.push(...messages)
          return handler.onMessages?.(messages)
        },
        onNotice: (notice) => {
          this.notices.push(notice)
          return handler.onNotice?.(notice)
        },
      },
      clock: this.clock,
      random: () => 0.5,
      limits,
    })
    this.ended = this.stream.run(this.#stop.signal)
  }

  /** The same answer, of which is counted what is read. */
  #counted(response: Response): Response {
    if (response.body === null) return response
    const counter = new TransformStream<Uint8Array, Uint8Array>(
      {
        transform: (chunk, controller) => {
          this.bytes += chunk.byteLength
          controller.enqueue(chunk)
        },
      },
      undefined,
      { highWaterMark: 0 },
    )
    const { status, statusText, headers } = response
    return new Response(response.body.pipeThrough(counter), { status, statusText, headers })
  }

  get ids(): (string | undefined)[] {
    return this.messages.map(({ id }) => id)
  }

  get kinds(): string[] {
    return this.notices.map(({ kind }) => kind)
  }

  /** Waits for the `count`th notice of a kind; the clock stands still. */
  async notice<Kind extends StreamNotice['kind']>(
    kind: Kind,
    count = 1,
  ): Promise<Extract<StreamNotice, { kind: Kind }>> {
    const found = () => this.notices.filter((notice) => notice.kind === kind)
    await until(
      () => found().length >= count,
      () => `notice ${count} of ${kind}; got ${this.kinds.join(', ')}`,
    )
    return found()[count - 1] as Extract<StreamNotice, { kind: Kind }>
  }

  async received(count: number): Promise<void> {
    await until(
      () => this.messages.length >= count,
      () => `${count} messages, got ${this.messages.length}`,
    )
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.ended
  }
}

/** Gives sockets their turn until `condition` holds; says what is missing if it never does. */
export async function until(condition: () => boolean, what: () => string): Promise<void> {
  const start = performance.now()
  while (!condition()) {
    if (performance.now() - start > 10_000) throw new Error(`waited in vain for ${what()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
