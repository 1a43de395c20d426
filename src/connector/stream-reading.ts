import { type KyInstance } from 'ky'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { LiveStream } from '../intake/live-stream.ts'
import { type Pipeline } from '../intake/pipeline.ts'
import { type StreamWatch } from '../observe/facts/stream-watch.ts'
import { type PlatformState } from '../opencti/platform-state.ts'
import { type Platform } from '../opencti/platform.ts'
import { type CheckedStream, checkStream } from '../opencti/stream-check.ts'
import { anyPosition, startWhereAuthorSays } from '../session/author-position.ts'
import { isDoneWithin, isTroubleOfPlatform, keepTrying } from '../session/keep-trying.ts'
import { type Progress, startKindOf } from '../session/progress.ts'
import { type Session } from '../session/session.ts'
import { formatPosition } from '../util/position.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { type Assembly } from './assembly.ts'
import { type Lifecycle } from './lifecycle.ts'

/** Reads the live stream: from where the connector left off, and from a new position after a reset. */
export class StreamReading {
  readonly #options: StreamReadingOptions
  #stream: LiveStream | undefined
  #reset: Promise<void> = Promise.resolve()
  #ignoresResets = false

  constructor(options: StreamReadingOptions) {
    this.#options = options
  }

  /** Whether it has begun to read. */
  get hasBegun(): boolean {
    return this.#stream !== undefined
  }

  /**
   * Asks the platform, the store, and the author where to begin, and saves the answer.
   *
   * @param beforeAnew called if reading does not continue where it was, before positions are forgotten.
   */
  async prepare(signal: AbortSignal, beforeAnew?: () => Promise<void>): Promise<void> {
    const { assembly, session, progress, store, onNotice } = this.#options
    const found = await session.open(signal)
    progress.knowCatchUp(await store.value(storedValues.catchUp))
    const start = await startWhereAuthorSays(found, this.#options, signal)
    if (start.isAnew) await beforeAnew?.()
    if (start.isTaken && !progress.mapIsImported) progress.mapIsComplete = false
    assembly.rebuild.start(start, session.isWhole(start.state))
    if (start.isAnew) await assembly.checkpointer.forgetPositions()
    progress.begin(start.state, startKindOf(start))
    if (start.movedFrom !== undefined)
      onNotice({ kind: 'reset', from: progress.position, was: formatPosition(start.movedFrom) })
    await assembly.checkpointer.flush(true)
  }

  /** Asks the platform whether the configured stream exists, is running, and is readable. */
  check(signal: AbortSignal): Promise<CheckedStream> {
    const { loaded, platform, http } = this.#options
    const { opencti, connector } = loaded.settings
    return checkStream({ platform, http, url: opencti.url, streamId: connector.live_stream_id, signal })
  }

  /** Resolves once the stream can be read. */
  async untilReadable(signal: AbortSignal): Promise<void> {
    const stream = await keepTrying(
      () => this.check(signal),
      'The live stream cannot be read yet',
      this.#options,
      signal,
      (error) => error.code === 'STREAM_STOPPED' || isTroubleOfPlatform(error),
    )
    this.#options.logger.info('Stream ID validated', { stream_id: stream.id, stream_name: stream.name })
  }

  /** Reads, and hands the events to the pipeline of the assembly unless given another one. */
  begin({ pipeline, room }: Destination = this.#options.assembly): void {
    const { assembly, stream } = this.#options
    const { checkpointer } = assembly
    this.#stream = new LiveStream({ ...this.#options, pipeline, checkpointer, room, watch: stream })
  }

  /** Someone changed the state on the platform: restarts from there, once earlier resets are done. */
  restart(state: PlatformState): Promise<void> {
    this.#reset = this.#reset.then(() => this.#restart(state))
    return this.#reset
  }

  /** Stops reading. */
  async close(): Promise<void> {
    await this.#stream?.close()
  }

  /** Resolves when no reset is being applied. */
  untilReset(): Promise<void> {
    return this.#reset
  }

  /** A reset noticed from now on takes effect at the next start. */
  ignoreResets(): void {
    this.#ignoresResets = true
  }

  async #restart(state: PlatformState): Promise<void> {
    if (this.#ignoresResets) return
    const { cluster } = this.#options
    // All copies start over, and the one that then leads finds the changed state.
    if (cluster !== undefined) return cluster.startOver()
    const { assembly, session, progress, stream, lifecycle, clock, loaded, givenUp, onNotice } = this.#options
    const { checkpointer, engine, rebuild } = assembly
    await this.#stream?.close()
    stream.closed()
    assembly.clear()
    await isDoneWithin(engine.drain(), loaded.delivery.stopGraceMs, clock, givenUp)
    try {
      // Save the old state and forget its positions before the new state is saved. If killed in between, the
      // connector finds the platform's state changed and resets again.
      await checkpointer.forgetPositions(new Map([[storedValues.voidPosition, anyPosition]]))
    } catch (error) {
      onNotice({ kind: 'state-not-written', error: error as StreamConnectorError })
    }
    const was = progress.position
    progress.begin(state)
    rebuild.restart(session.isWhole(state))
    checkpointer.touch()
    onNotice({ kind: 'reset', from: progress.position, was })
    if (lifecycle.state === 'running') this.begin()
  }
}

/** Where events go, and whether there is room for more. */
export interface Destination {
  readonly pipeline: Pick<Pipeline, 'accept'>
  readonly room: Bound
}

export interface StreamReadingOptions extends RuntimeOptions {
  readonly assembly: Assembly
  readonly session: Session
  readonly progress: Progress
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  readonly platform: Platform
  readonly stream: StreamWatch
  readonly lifecycle: Lifecycle
  /** Aborted when work in flight is abandoned. */
  readonly givenUp: AbortSignal
}
