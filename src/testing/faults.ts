import { noFaults, type ArmedFaults, type FrameCut } from './armed-faults.ts'
import { type StixObject } from './knowledge/stix-object.ts'
import { type Platform } from './knowledge/platform.ts'
import { type FrameWriter } from './live/frame-writer.ts'
import { type PageOrder } from './live/catch-up.ts'
import { errorFrame, frame } from './live/frames.ts'
import { type Refusal } from './http/refusal.ts'

/** An open stream, as faults see it. */
export interface FaultyConnection {
  readonly streamId: string
  readonly writer: FrameWriter | undefined
  cut(): void
  end(): void
}

/** What {@link Faults} works on. */
export interface FaultTargets {
  readonly platform: Platform
  readonly connections: () => Iterable<FaultyConnection>
  readonly createLarge: (bytes: number) => StixObject
  readonly close: () => Promise<void>
  readonly open: () => Promise<void>
}

/**
 * Everything that can go wrong between a connector and a platform, on demand. Faults that act on open connections
 * act on all of them at once; those with a count go away when it is used up. {@link Faults.clear} ends the rest.
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
  /** Whether heartbeats (and metrics) are sent at all. Default: true. */
  heartbeats = true
  /** How far the clock that makes up heartbeat ids on an idle stream is ahead, in milliseconds; below zero, behind. */
  heartbeatSkewMs = 0
  /** Whether new connections are compressed, as by a proxy. Default: false. */
  gzip = false
  /** In which order a page of the catch-up is sent: `shuffled`, as on the platform, or from the newest object to the oldest. */
  catchUpOrder: PageOrder = 'shuffled'
  /** After how many objects every catch-up is cut, each time anew; as by a load balancer that takes no long answers. Default: none is. */
  cutCatchUpAfterObjects: number | undefined
  /** How long GraphQL answers take, in milliseconds. Default: 0. */
  graphqlDelayMs = 0

  /** @internal */
  armed: ArmedFaults = noFaults()
  readonly #targets: FaultTargets
  #bufferMs = 0
  #stalled = false

  constructor(targets: FaultTargets) {
    this.#targets = targets
  }

  /** @internal how long new connections hold their bytes back */
  get bufferMs(): number {
    return this.#bufferMs
  }

  /** @internal whether new connections are stalled */
  get isStalled(): boolean {
    return this.#stalled
  }

  /** Refuses the next `count` attempts to open a stream. */
  refuseConnects(count: number, refusal: Refusal): void {
    this.armed.refusals.push({ left: count, refusal })
  }

  /** Takes the next `count` attempts to open a stream and never answers, not even with headers. */
  swallowConnects(count: number): void {
    this.armed.swallowedConnects += count
  }

  /** Breaks the connection of the next `count` attempts to open a stream, before any answer. */
  resetConnects(count: number): void {
    this.armed.resetConnects += count
  }

  /**
   * Answers the next `count` attempts with the odd 200 of 7.x: an `error` frame, then nothing but an open
   * connection.
   *
   * @param options.contentType whether the headers and `connected` were sent before it. Default: false.
   */
  failConnects(count: number, message: string, options: { contentType?: boolean | undefined } = {}): void {
    this.armed.failedConnects.push({ left: count, message, contentType: options.contentType ?? false })
  }

  /** Breaks all open streams now, as a crash does. */
  cut(): void {
    for (const connection of this.#targets.connections()) connection.cut()
  }

  /** Ends all open streams cleanly, as a restart of the platform or an impatient proxy does. */
  end(): void {
    for (const connection of this.#targets.connections()) connection.end()
  }

  /**
   * Breaks the connection inside the next main frame.
   *
   * @param where `middle`; `in-character`: between the bytes of a character (of the next frame that has one outside
   * ASCII); `after-data`: behind its last line, before the blank line that makes it a message.
   */
  cutNextFrame(where: FrameCut = 'middle'): void {
    this.armed.cutNextFrame = where
  }

  /** Breaks the connection after the dependencies of the next `count` events that have some, before the event. */
  cutBeforeMain(count = 1): void {
    this.armed.cutsBeforeMain += count
  }

  /** Sends a heartbeat between the dependencies and the main frame of the next `count` events that have some. */
  heartbeatsBeforeMain(count = 1): void {
    this.armed.heartbeatsBeforeMain += count
  }

  /** Sends the next `count` groups (dependencies and main frame) twice. */
  duplicateGroups(count = 1): void {
    this.armed.duplicateGroups += count
  }

  /** Keeps all streams open, now and new ones, but sends no byte, not even a heartbeat. */
  stall(): void {
    this.#stalled = true
    for (const connection of this.#targets.connections()) connection.writer?.stall()
  }

  /** Ends {@link stall}. */
  resume(): void {
    this.#stalled = false
    for (const connection of this.#targets.connections()) connection.writer?.resume()
  }

  /** Lets bytes through in clumps each `ms` milliseconds, as a buffering proxy does; 0 ends that. */
  bufferFor(ms: number): void {
    this.#bufferMs = ms
    for (const connection of this.#targets.connections()) connection.writer?.bufferFor(ms)
  }

  /** Drops all but the newest `keep` events of the history: who is further behind has a gap and hears nothing of it. */
  trimHistory(keep: number): void {
    this.#targets.platform.log.trim(keep)
  }

  /**
   * Removes an object, and the relations that touch it, without any event: what a deletion looks like that the history no
   * longer holds.
   *
   * @throws Error when there is no such object.
   */
  removeSilently(id: string): void {
    const { platform } = this.#targets
    platform.knowledge.remove(platform.get(id))
  }

  /** Adds `count` events of the platform's own, which make a reader that gets nothing else jump to the present. */
  publishInternal(count: number): void {
    const [stored] = this.#targets.platform.knowledge.values()
    if (stored === undefined)
      throw new Error('The simulator holds no object that an internal event could be about.')
    for (let index = 0; index < count; index++) this.#targets.platform.publishInternal(stored)
  }

  /** Creates a report of about `bytes` bytes, so that a frame of that size travels. @returns the report. */
  largeFrame(bytes: number): StixObject {
    return this.#targets.createLarge(bytes)
  }

  /** Puts any text into all open streams, as it is. */
  raw(text: string): void {
    for (const connection of this.#targets.connections()) connection.writer?.writeNow(text)
  }

  /** Sends a `create` frame whose data is no JSON. @param id the id of the frame; default: that of the last event. */
  malformedFrame(id: string = this.#lastId): void {
    this.raw(frame('create', '{"version":"4","type":"create","data":{"id":', id))
  }

  /** Sends a `create` frame with an envelope that has no `data`. */
  envelopeWithoutData(id: string = this.#lastId): void {
    this.raw(
      frame('create', '{"version":"4","type":"create","scope":"external","message":"-","origin":{}}', id),
    )
  }

  /** Sends a frame of a kind that no connector knows yet, with an id. */
  unknownEvent(event = 'telemetry', id: string = this.#lastId, data = '{"value":1}'): void {
    this.raw(frame(event, data, id))
  }

  /** Sends the `error` frame of 7.x into all open streams, which stay open. */
  errorFrame(message: string): void {
    for (const { streamId, writer } of this.#targets.connections())
      writer?.writeNow(errorFrame(streamId, message))
  }

  /** Answers the next `count` GraphQL requests with an HTTP status, or breaks their connection. */
  failGraphql(count: number, refusal: Refusal | 'reset'): void {
    this.armed.graphql.push({ left: count, refusal })
  }

  /** Does what the next `count` pings ask and breaks the connection before the answer. */
  losePingAnswers(count = 1): void {
    this.armed.lostPingAnswers += count
  }

  /** Does what the next `count` registrations ask and breaks the connection before the answer. */
  loseRegistrationAnswers(count = 1): void {
    this.armed.lostRegistrationAnswers += count
  }

  /** Makes these fields of the registration unknown to the platform, as an older one would have it. */
  rejectInputFields(...names: string[]): void {
    this.armed.rejectedInputFields = new Set(names)
  }

  /** Takes the whole platform away: open connections break, new ones are refused. */
  async takePlatformDown(): Promise<void> {
    await this.#targets.close()
  }

  /** Brings the platform back on the same port, with all that it knew. */
  async bringPlatformUp(): Promise<void> {
    await this.#targets.open()
  }

  /** Back to a platform without faults. Broken connections stay broken; what was trimmed stays away. */
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
