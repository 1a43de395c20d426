import { type LiveConnection, type Simulator, type StreamEnvelope } from 'opencti-stream-connector/testing'

/** A frame as it came over the wire. */
export interface Frame {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** A stream read with bare fetch: no part of the package is between the simulator and the test. */
export class OpenStream {
  readonly response: Response
  readonly connection: LiveConnection | undefined
  readonly frames: Frame[] = []
  /** Everything that was received, as text. */
  text = ''
  readonly #reader: ReadableStreamDefaultReader<string> | undefined
  readonly #ready: Frame[] = []
  #rest = ''
  #endsInNewline = false

  private constructor(response: Response, connection: LiveConnection | undefined) {
    this.response = response
    this.connection = connection
    this.#reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  }

  static async open(
    simulator: Simulator,
    query: string | Record<string, string> = {},
    options: {
      streamId?: string
      headers?: Record<string, string>
      token?: string | null
      signal?: AbortSignal
    } = {},
  ): Promise<OpenStream> {
    const parameters = typeof query === 'string' ? query : new URLSearchParams(query).toString()
    const { streamId = simulator.streamId, headers, signal, token = simulator.token } = options
    const response = await fetch(`${simulator.url}/stream${streamId && `/${streamId}`}?${parameters}`, {
      headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
      ...(signal && { signal }),
    })
    return new OpenStream(response, simulator.connections.at(-1))
  }

  /** The next frame; undefined at the end. */
  async next(): Promise<Frame | undefined> {
    while (this.#ready.length === 0) {
      const chunk = await this.#reader?.read()
      if (chunk === undefined || chunk.done) return undefined
      this.text += chunk.value
      // Only what is new is searched: a frame of many megabytes comes in hundreds of chunks.
      const isComplete = chunk.value.includes('\n\n') || (this.#endsInNewline && chunk.value.startsWith('\n'))
      this.#endsInNewline = chunk.value.endsWith('\n')
      this.#rest += chunk.value
      if (!isComplete) continue
      const parts = this.#rest.split('\n\n')
      this.#rest = parts.pop()!
      this.#ready.push(...parts.map((part) => parseFrame(part)))
    }
    const frame = this.#ready.shift()!
    this.frames.push(frame)
    return frame
  }

  /** The next `count` frames that carry data: no `connected`, heartbeats or metrics. */
  async events(count: number): Promise<(Frame & { readonly envelope: StreamEnvelope })[]> {
    const found: (Frame & { readonly envelope: StreamEnvelope })[] = []
    while (found.length < count) {
      const frame = await this.next()
      if (frame === undefined) throw new Error(`the stream ended after ${found.length} of ${count} events`)
      if (['connected', 'heartbeat', 'consumer_metrics'].includes(frame.event)) continue
      found.push({ ...frame, envelope: JSON.parse(frame.data) as StreamEnvelope })
    }
    return found
  }

  /** The next frame of that name. */
  async nextOf(event: string): Promise<Frame> {
    for (;;) {
      const frame = await this.next()
      if (frame === undefined) throw new Error(`the stream ended before a frame ${event}`)
      if (frame.event === event) return frame
    }
  }

  async close(): Promise<void> {
    await this.#reader?.cancel().catch(() => {})
  }
}

function parseFrame(text: string): Frame {
  const fields = new Map(
    text.split('\n').map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)] as const
    }),
  )
  return { id: fields.get('id'), event: fields.get('event') ?? '', data: fields.get('data') ?? '' }
}

/** A GraphQL request with bare fetch. */
export async function askGraphql(
  simulator: Simulator,
  query: string,
  variables: Record<string, unknown> = {},
  token: string | null = simulator.token,
): Promise<{
  status: number
  data: Record<string, never> | null
  errors?: { message: string; extensions: { code: string } }[]
}> {
  const response = await fetch(`${simulator.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  })
  return { status: response.status, ...((await response.json()) as object) } as never
}
