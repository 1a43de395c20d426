import { once } from 'node:events'
import { type ServerResponse } from 'node:http'
import { type Writable } from 'node:stream'
import { constants, createGzip, type Gzip } from 'node:zlib'
import { type Clock } from '../../util/clock.ts'

/** Frames are joined up to this size before they go to the socket. */
const maxJoinedLength = 64 * 1024

/** Writes frames to a response, and misbehaves on request. */
export class FrameWriter {
  readonly #response: ServerResponse
  readonly #options: FrameWriterOptions
  readonly #gzip: Gzip | undefined
  readonly #sink: Writable
  #joined = ''
  #bytes = 0
  #frames = 0
  #waiting = false
  #isEnded = false
  #isStalled = false
  #resumers: (() => void)[] = []
  #bufferMs = 0
  #buffered: Buffer[] = []
  #cancelRelease: (() => void) | undefined

  constructor(response: ServerResponse, options: FrameWriterOptions) {
    this.#response = response
    this.#options = options
    this.#gzip = options.gzip ? createGzip({ flush: constants.Z_SYNC_FLUSH }) : undefined
    this.#gzip?.on('error', () => response.destroy())
    this.#gzip?.pipe(response)
    this.#sink = this.#gzip ?? response
    options.signal.addEventListener('abort', () => this.#release(), { once: true })
  }

  /** Bytes handed to the connection so far, before compression. */
  get bytesWritten(): number {
    return this.#bytes
  }

  get framesWritten(): number {
    return this.#frames
  }

  /** Whether a write is waiting for the client to read. */
  get isWaiting(): boolean {
    return this.#waiting
  }

  /** Whether the client has nothing left to read. */
  get isIdle(): boolean {
    return this.#sink.writableLength === 0 && this.#response.writableLength === 0
  }

  /** Whether the response has ended. */
  get isEnded(): boolean {
    return this.#isEnded || this.#options.signal.aborted
  }

  get isStalled(): boolean {
    return this.#isStalled
  }

  /** Writes a frame, at the latest with the next {@link flush}. Waits while stalled. */
  async write(text: string): Promise<void> {
    if (this.#isStalled) await new Promise<void>((resolve) => this.#resumers.push(resolve))
    if (this.isEnded) throw new Error('The stream has ended.')
    this.#joined += text
    this.#frames += 1
    if (this.#joined.length >= maxJoinedLength) await this.flush()
  }

  /** Sends joined frames to the socket. Waits for the client to read if the platform would. */
  async flush(): Promise<void> {
    this.#pass()
    if (!this.#options.backPressure || !this.#sink.writableNeedDrain) return
    this.#waiting = true
    try {
      await once(this.#sink, 'drain', { signal: this.#options.signal })
    } finally {
      this.#waiting = false
    }
  }

  /** Writes immediately without waiting, as the platform's timer does. Does nothing while stalled. */
  writeNow(text: string): void {
    if (this.#isStalled || this.isEnded) return
    this.#joined += text
    this.#frames += 1
    this.#pass()
  }

  /** Writes nothing until {@link resume}. */
  stall(): void {
    this.#isStalled = true
  }

  resume(): void {
    this.#isStalled = false
    for (const resume of this.#resumers.splice(0)) resume()
  }

  /**
   * Holds bytes back and releases them in bursts every `ms` milliseconds, as a buffering proxy does; 0 to
   * stop.
   */
  bufferFor(ms: number): void {
    this.#bufferMs = ms
    if (ms === 0) this.#releaseBuffered()
  }

  /** Ends the response cleanly. */
  end(): void {
    if (this.isEnded) return
    this.#isEnded = true
    this.#pass()
    this.#releaseBuffered()
    this.#sink.end()
  }

  /** Ends the response cleanly; resolves once the operating system has its last bytes. */
  async finish(): Promise<void> {
    if (this.isEnded) return
    const finished = once(this.#response, 'finish', { signal: this.#options.signal }).catch(() => {})
    this.end()
    await finished
  }

  /** Writes the first `byteCount` bytes of a frame, then resets the connection. @throws always */
  async cutAfter(text: string, byteCount: number): Promise<void> {
    this.#pass()
    this.#releaseBuffered()
    const bytes = Buffer.from(text).subarray(0, byteCount)
    this.#bytes += bytes.length
    await new Promise<void>((resolve) => {
      this.#options.signal.addEventListener('abort', () => resolve(), { once: true })
      this.#sink.write(bytes, () => this.#response.socket?.destroy())
    })
    this.#options.signal.throwIfAborted()
  }

  /** Resets the connection, as a process crash does. */
  cut(): void {
    const { socket } = this.#response
    // If the client has left and the socket is ending, Node.js fails to reset it and never reports it closed.
    if (socket?.writableEnded === true) socket.destroy()
    else socket?.resetAndDestroy()
  }

  #pass(): void {
    if (this.#joined === '') return
    const bytes = Buffer.from(this.#joined)
    this.#joined = ''
    this.#bytes += bytes.length
    if (this.#bufferMs === 0) {
      this.#sink.write(bytes)
      return
    }
    this.#buffered.push(bytes)
    this.#cancelRelease ??= this.#options.clock.schedule(this.#bufferMs, () => this.#releaseBuffered())
  }

  #releaseBuffered(): void {
    this.#cancelRelease?.()
    this.#cancelRelease = undefined
    if (this.#buffered.length === 0) return
    const bytes = Buffer.concat(this.#buffered)
    this.#buffered = []
    if (!this.#options.signal.aborted && !this.#sink.writableEnded) this.#sink.write(bytes)
  }

  #release(): void {
    this.resume()
    this.#cancelRelease?.()
    this.#buffered = []
    this.#gzip?.destroy()
  }
}

/** How the bytes of a connection are sent. */
export interface FrameWriterOptions {
  readonly clock: Clock
  /** Aborts when the connection is gone. */
  readonly signal: AbortSignal
  /** Whether writes wait for a client that does not read (7.x). */
  readonly backPressure: boolean
  /** Whether a proxy in between compresses. */
  readonly gzip: boolean
}
