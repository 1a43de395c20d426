import { randomUUID } from 'node:crypto'
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { delay } from '../../util/delay.ts'
import { type SimulatedCollection, type SimulatedUser } from './access.ts'
import { catchUp } from './catch-up.ts'
import { ConsumerMetrics } from './consumer-metrics.ts'
import { describeLog } from './describe-log.ts'
import { type LoggedEvent } from './event-log.ts'
import { FrameMaker } from './frame-maker.ts'
import { FrameWriter } from './frame-writer.ts'
import { errorFrame, frame } from './frames.ts'
import { GroupWriter } from './group-writer.ts'
import { Heartbeat } from './heartbeat.ts'
import { LiveView } from './live-view.ts'
import { type LiveServer } from './live-server.ts'
import { LruSet } from './lru-set.ts'
import { formatStreamId, type StreamId } from './stream-id.ts'
import { readStreamParameters, type StreamParameters } from './stream-parameters.ts'

/** Number of events the platform reads from Redis at a time. */
const maxEventsPerRead = 100

/** An open stream of one client, from the headers to the end (graphql/sseMiddleware.js). */
export class LiveConnection {
  readonly id = randomUUID()
  /** Stream id in the path; empty for the raw stream. */
  readonly streamId: string
  /** Query as received. */
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly user: SimulatedUser | undefined
  readonly writer: FrameWriter
  readonly #server: LiveServer
  readonly #response: ServerResponse
  readonly #parameters: StreamParameters
  readonly #collection: SimulatedCollection | undefined
  readonly #isRaw: boolean
  readonly #view: LiveView
  readonly #frames: FrameMaker
  readonly #groups: GroupWriter
  readonly #metrics: ConsumerMetrics
  readonly #heartbeat: Heartbeat
  readonly #ended = new AbortController()
  #delayMs: number

  constructor(
    server: LiveServer,
    request: IncomingMessage,
    response: ServerResponse,
    target: { streamId: string | undefined; query: URLSearchParams; user: SimulatedUser | undefined },
  ) {
    const { clock, features, platform, access } = server
    this.#server = server
    this.#response = response
    this.#isRaw = target.streamId === undefined
    this.streamId = target.streamId ?? ''
    this.query = target.query
    this.headers = request.headers
    this.user = target.user
    this.#collection = access.collection(this.streamId)
    this.#parameters = readStreamParameters(target.query, request.headers, this.#isRaw)
    this.#delayMs = features.isSeven ? 0 : this.#parameters.delayMs
    this.#view = new LiveView(platform.knowledge, target.user, this.#collection, features.redactsReferences)
    this.#frames = new FrameMaker({
      features,
      parameters: this.#parameters,
      view: this.#view,
      sent: new LruSet(clock, server.cacheBounds),
    })
    this.#metrics = new ConsumerMetrics(clock, platform.log.produced)
    const { signal } = this.#ended
    response.once('close', () => this.#ended.abort(new Error('The connection is gone.')))
    this.writer = new FrameWriter(response, {
      clock,
      signal,
      backPressure: features.isSeven,
      gzip: server.faults.gzip,
    })
    this.writer.bufferFor(server.faults.bufferMs)
    if (server.faults.isStalled) this.writer.stall()
    this.#heartbeat = new Heartbeat(server, this.writer, this.#metrics)
    this.#groups = new GroupWriter(this.writer, server.faults, {
      onFrame: (id) => {
        this.#heartbeat.lastId = id
        this.#metrics.delivered += 1
      },
      sendHeartbeat: () => this.#heartbeat.send(),
      pause: () => (this.#delayMs > 0 ? delay(clock, this.#delayMs, signal) : Promise.resolve()),
    })
  }

  /** Whether the platform is waiting for this client to read. */
  get isPaused(): boolean {
    return this.writer.isWaiting
  }

  get bytesWritten(): number {
    return this.writer.bytesWritten
  }

  get framesWritten(): number {
    return this.writer.framesWritten
  }

  /** Aborts when the connection is over. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** Breaks this connection, as a crash does. */
  cut(): void {
    this.writer.cut()
  }

  /** Ends this connection cleanly. */
  end(): void {
    this.writer.end()
  }

  /** Sets the pause after each element (`POST /stream/connection/<id>`, up to 6.x). */
  setDelay(delayMs: number): void {
    if (!this.#server.features.isSeven) this.#delayMs = delayMs
  }

  /** Serves the stream until it is over. Never rejects. */
  async serve(): Promise<void> {
    try {
      await this.#serve()
    } catch (error) {
      if (this.writer.isEnded) return
      this.#fail(error instanceof Error ? error.message : String(error))
    } finally {
      if (!this.#ended.signal.aborted) await new Promise((resolve) => this.#response.once('close', resolve))
      this.#heartbeat.stop()
    }
  }

  async #serve(): Promise<void> {
    const { from, recover } = this.#parameters
    const { platform, clock } = this.#server
    const { log } = platform
    if (log.length === 0) throw new Error('ERR no such key')
    if (recover?.dateMs !== undefined && from === undefined) {
      throw new Error('Recovery mode is only possible with a start date.')
    }
    this.#writeHead()
    const connected = frame('connected', JSON.stringify({ ...describeLog(log), connectionId: this.id }))
    if (this.writer.isStalled) {
      this.#response.flushHeaders()
      await this.writer.write(connected)
    } else {
      this.writer.writeNow(connected)
    }
    this.#heartbeat.lastId = from?.text
    this.#heartbeat.start()
    let position = from?.id
    // For dates, a position Redis would reject means the present.
    const startMs = from?.dateMs ?? clock.now()
    if (recover?.dateMs !== undefined && recover.dateMs > startMs) {
      if (this.#server.features.isSeven && this.#collection?.originFilter !== undefined) {
        await this.#refuseRecovery(recover.text)
      } else {
        await this.#recover(startMs, recover.dateMs)
      }
      position = recover.id
    }
    if (from !== undefined && from.id === undefined) return // Redis refuses the id for ever: heartbeats, but no data.
    await this.#readLive(position)
  }

  #writeHead(): void {
    // No `no-transform` behind a proxy that compresses anyway.
    this.#response.writeHead(200, {
      Connection: 'keep-alive',
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Access-Control-Allow-Origin': '*',
      'Cache-Control': 'no-cache, no-transform',
      ...(this.#server.faults.gzip && { 'Content-Encoding': 'gzip' }),
    })
  }

  async #refuseRecovery(resumeFrom: string): Promise<void> {
    // The platform itself fails here for users without this capability (reported, not fixed in the versions
    // read).
    if (!this.#view.seesOrganizations) {
      throw new Error("Cannot read properties of undefined (reading 'extensions')")
    }
    const data = {
      stream: this.streamId,
      message:
        'Recovery from history is disabled on streams configured with origin filters; resuming from live events only.',
      resume_from: resumeFrom,
    }
    await this.writer.write(frame('no-recover', JSON.stringify(data), `${this.#server.clock.now()}-0`))
    await this.writer.flush()
  }

  async #recover(fromMs: number, toMs: number): Promise<void> {
    const { platform, catchUpPage, faults, random } = this.#server
    const { withInferences } = this.#parameters
    const order = faults.catchUpOrder
    const range = { fromMs, toMs, withInferences, pageSize: catchUpPage, order, random }
    let count = 0
    for (const stored of catchUp(platform.knowledge, this.#view, range)) {
      const group = this.#frames.ofObject(stored)
      if (group === undefined) continue
      await this.#groups.write(group)
      if (++count === faults.cutCatchUpAfterObjects) await this.writer.cutAfter('', 0)
      if (count % maxEventsPerRead === 0) await this.#yield()
    }
    await this.writer.flush()
  }

  async #readLive(start: StreamId | undefined): Promise<void> {
    const { platform, newEvents, idleReadMs, clock, faults } = this.#server
    const { signal } = this.#ended
    let position = start
    for (;;) {
      // Without a position, each read starts after the newest event, as Redis does with `$`.
      const after = position ?? platform.log.lastId
      let events = platform.log.readAfter(after, maxEventsPerRead)
      if (events.length === 0 && (await newEvents.wait(idleReadMs, signal))) {
        events = platform.log.readAfter(after, maxEventsPerRead)
      }
      signal.throwIfAborted()
      const madeUp = { ms: clock.now() + faults.heartbeatSkewMs, seq: 0 }
      if (events.length === 0) {
        this.#heartbeat.lastId = formatStreamId(madeUp)
      } else {
        await this.#deliver(events)
        // A read with nothing but platform-internal events moves the reader to the present: a platform bug.
        const isInternal = events.every(({ envelope }) => envelope.scope === 'internal')
        position = isInternal ? madeUp : events.at(-1)!.id
        this.#heartbeat.lastId = formatStreamId(position)
      }
      if (this.#server.access.refusal(this.#isRaw ? undefined : this.streamId, this.user) !== undefined) {
        this.end()
        return
      }
      await this.#yield()
    }
  }

  async #deliver(events: readonly LoggedEvent[]): Promise<void> {
    for (const [index, event] of events.entries()) {
      if (event.envelope.scope === 'internal') continue
      this.#metrics.processed += 1
      const group = this.#isRaw ? this.#frames.ofRawEvent(event) : this.#frames.ofEvent(event, index)
      if (group === undefined) continue
      this.#metrics.resolved += group.dependencies.length
      await this.#groups.write(group)
    }
    await this.writer.flush()
  }

  /**
   * What the platform does on an exception: 6.x refuses, 7.x sends a frame and leaves the connection open.
   */
  #fail(message: string): void {
    const { features, faults } = this.#server
    if (features.isSeven) {
      if (faults.gzip && !this.#response.headersSent) this.#response.setHeader('Content-Encoding', 'gzip')
      this.writer.writeNow(errorFrame(this.streamId, message))
    } else if (this.#response.headersSent) {
      this.end()
    } else {
      const stream = this.#isRaw ? '' : ` ${this.streamId}`
      this.#response.writeHead(500, `Error in stream${stream}: ${message}`).end()
    }
  }

  /** Gives timers and other connections a turn. */
  async #yield(): Promise<void> {
    await nextTurn()
    this.#ended.signal.throwIfAborted()
  }
}
