import { noFaults, type ArmedFaults, type FrameCut } from './armed-faults.ts'
import { type StixObject } from './knowledge/stix-object.ts'
import { type Platform } from './knowledge/platform.ts'
import { type FrameWriter } from './live/frame-writer.ts'
import { type PageOrder } from './live/catch-up.ts'
import { errorFrame, frame } from './live/frames.ts'
import { type Refusal } from './http/refusal.ts'

/** An open stream, as used by faults. */
export interface FaultyConnection {
  readonly streamId: string
  readonly writer: FrameWriter | undefined
  cut(): void
  end(): void
}

/** What {@link Faults} acts on. */
export interface FaultTargets {
  readonly platform: Platform
  readonly connections: () => Iterable<FaultyConnection>
  readonly createLarge: (bytes: number) => StixObject
  readonly close: () => Promise<void>
  readonly open: () => Promise<void>
}

/**
 * Injects failures between a connector and a platform. Faults on open connections affect all of them at once.
 * Faults with a count end when it is used up; {@link Faults.clear} ends the rest.
 *
 * @example
 * ```ts
 * import { Simulator } from 'opencti-stream-connector/testing'
 *
 * await using simulator = await Simulator.start()
 * simulator.faults.refuseConnects(2, { status: 503, headers: { 'retry-after': '1' } })
 * simulator.faults.cutNextFrame('in-character')
 * ```
 */
export class Faults {
  /**
   * Whether to send heartbeats (and metrics).
   * @default true
   */
  heartbeats = true
  /** How far the clock for heartbeat ids on an idle stream is ahead, in milliseconds; negative if behind. */
  heartbeatSkewMs = 0
  /**
   * Whether to compress new connections, as a proxy would.
   * @default false
   */
  gzip = false
  /** Order of the objects in a catch-up page: `shuffled`, as on the platform, or newest first. */
  catchUpOrder: PageOrder = 'shuffled'
  /**
   * Cut every catch-up after this many objects, like a load balancer that limits long responses.
   * @default undefined
   */
  cutCatchUpAfterObjects: number | undefined
  /**
   * Delay of GraphQL answers, in milliseconds.
   * @default 0
   */
  graphqlDelayMs = 0

  /** @internal */
  armed: ArmedFaults = noFaults()
  readonly #targets: FaultTargets
  #bufferMs = 0
  #stalled = false

  constructor(targets: FaultTargets) {
    this.#targets = targets
  }

  /** @internal How long new connections buffer their bytes. */
  get bufferMs(): number {
    return this.#bufferMs
  }

  /** @internal Whether new connections are stalled. */
  get isStalled(): boolean {
    return this.#stalled
  }

  /** Refuses the next `count` attempts to open a stream. */
  refuseConnects(count: number, refusal: Refusal): void {
    this.armed.refusals.push({ left: count, refusal })
  }

  /** Accepts the next `count` attempts to open a stream but never answers, not even with headers. */
  swallowConnects(count: number): void {
    this.armed.swallowedConnects += count
  }

  /** Resets the next `count` attempts to open a stream before any answer. */
  resetConnects(count: number): void {
    this.armed.resetConnects += count
  }

  /**
   * Answers the next `count` attempts with the odd 200 of 7.x: an `error` frame, then an idle open
   * connection.
   *
   * @param options.contentType whether headers and `connected` precede it. Defaults to false.
   */
  failConnects(count: number, message: string, options: { contentType?: boolean | undefined } = {}): void {
    this.armed.failedConnects.push({ left: count, message, contentType: options.contentType ?? false })
  }

  /** Breaks all open streams, as a crash does. */
  cut(): void {
    for (const connection of this.#targets.connections()) connection.cut()
  }

  /** Ends all open streams cleanly, as a platform restart or an impatient proxy does. */
  end(): void {
    for (const connection of this.#targets.connections()) connection.end()
  }

  /**
   * Breaks the connection inside the next main frame.
   *
   * @param where `middle`; `in-character`: within a multibyte character (of the next frame that has one);
   *   `after-data`: after its last line, before the blank line that completes it.
   */
  cutNextFrame(where: FrameCut = 'middle'): void {
    this.armed.cutNextFrame = where
  }

  /**
   * Breaks the connection between the dependencies and the main frame of the next `count` events that have
   * dependencies.
   */
  cutBeforeMain(count = 1): void {
    this.armed.cutsBeforeMain += count
  }

  /**
   * Sends a heartbeat between the dependencies and the main frame of the next `count` events that have
   * dependencies.
   */
  heartbeatsBeforeMain(count = 1): void {
    this.armed.heartbeatsBeforeMain += count
  }

  /** Sends the next `count` groups (dependencies and main frame) twice. */
  duplicateGroups(count = 1): void {
    this.armed.duplicateGroups += count
  }

  /** Keeps current and new streams open but sends nothing, not even a heartbeat. */
  stall(): void {
    this.#stalled = true
    for (const connection of this.#targets.connections()) connection.writer?.stall()
  }

  /** Ends {@link stall}. */
  resume(): void {
    this.#stalled = false
    for (const connection of this.#targets.connections()) connection.writer?.resume()
  }

  /** Releases bytes in bursts every `ms` milliseconds, as a buffering proxy does; 0 to stop. */
  bufferFor(ms: number): void {
    this.#bufferMs = ms
    for (const connection of this.#targets.connections()) connection.writer?.bufferFor(ms)
  }

  /**
   * Drops all but the newest `keep` events of the history. A reader further behind has a gap and is not told.
   */
  trimHistory(keep: number): void {
    this.#targets.platform.log.trim(keep)
  }

  /**
   * Removes an object and its relations without an event: a deletion that has left the history.
   *
   * @throws Error if there is no such object.
   */
  removeSilently(id: string): void {
    const { platform } = this.#targets
    platform.knowledge.remove(platform.get(id))
  }

  /** Adds `count` platform-internal events. A reader that gets nothing else jumps to the present. */
  publishInternal(count: number): void {
    const [stored] = this.#targets.platform.knowledge.values()
    if (stored === undefined) throw new Error('The simulator has no object for an internal event.')
    for (let index = 0; index < count; index++) this.#targets.platform.publishInternal(stored)
  }

  /** Creates a report of about `bytes` bytes, to send a frame of that size. @returns the report. */
  largeFrame(bytes: number): StixObject {
    return this.#targets.createLarge(bytes)
  }

  /** Sends any text to all open streams, verbatim. */
  raw(text: string): void {
    for (const connection of this.#targets.connections()) connection.writer?.writeNow(text)
  }

  /**
   * Sends a `create` frame with invalid JSON. @param id id of the frame; defaults to that of the last event.
   */
  malformedFrame(id: string = this.#lastId): void {
    this.raw(frame('create', '{"version":"4","type":"create","data":{"id":', id))
  }

  /** Sends a `create` frame whose envelope has no `data`. */
  envelopeWithoutData(id: string = this.#lastId): void {
    this.raw(
      frame('create', '{"version":"4","type":"create","scope":"external","message":"-","origin":{}}', id),
    )
  }

  /** Sends a frame of an unknown kind, with an id. */
  unknownEvent(event = 'telemetry', id: string = this.#lastId, data = '{"value":1}'): void {
    this.raw(frame(event, data, id))
  }

  /** Sends the `error` frame of 7.x to all open streams, which stay open. */
  errorFrame(message: string): void {
    for (const { streamId, writer } of this.#targets.connections())
      writer?.writeNow(errorFrame(streamId, message))
  }

  /** Answers the next `count` GraphQL requests with an HTTP status, or resets their connection. */
  failGraphql(count: number, refusal: Refusal | 'reset'): void {
    this.armed.graphql.push({ left: count, refusal })
  }

  /** Processes the next `count` pings but breaks the connection before the answer. */
  losePingAnswers(count = 1): void {
    this.armed.lostPingAnswers += count
  }

  /** Processes the next `count` registrations but breaks the connection before the answer. */
  loseRegistrationAnswers(count = 1): void {
    this.armed.lostRegistrationAnswers += count
  }

  /** Makes the platform reject these registration fields, as an older one would. */
  rejectInputFields(...names: string[]): void {
    this.armed.rejectedInputFields = new Set(names)
  }

  /** Takes the whole platform down: breaks open connections and refuses new ones. */
  async takePlatformDown(): Promise<void> {
    await this.#targets.close()
  }

  /** Brings the platform back on the same port, with its data. */
  async bringPlatformUp(): Promise<void> {
    await this.#targets.open()
  }

  /** Ends all faults. Broken connections stay broken, and trimmed events stay gone. */
  clear(): void {
    this.heartbeats = true
    this.heartbeatSkewMs = 0
    this.gzip = false
    this.catchUpOrder = 'shuffled'
    this.cutCatchUpAfterObjects = undefined
    this.graphqlDelayMs = 0
    this.armed = noFaults()
    this.resume()
    this.bufferFor(0)
  }

  get #lastId(): string {
    return this.#targets.platform.log.last?.idText ?? '0-0'
  }
}
