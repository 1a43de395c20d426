import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { listed, type Outcome } from '../events/event-counters.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { scrubbed } from '../observe/log/scrub.ts'
import { type Redactor } from '../util/redactor.ts'
import { type Assembly } from './assembly.ts'
import { type AssemblyOptions } from './assembly-options.ts'

/** Rejects messages that were handed in and not finished when the connector stopped. */
const stopped = new StreamConnectorError(
  'LIFECYCLE',
  'The connector stopped before it finished every message it was given. Give the messages to the next connector again.',
)

/** Rejects messages that are handed in although their entities may belong to other copies. */
const divided = new StreamConnectorError(
  'LIFECYCLE',
  'Copies share the work of this connector (CONNECTOR_CLUSTER_URL), so it only takes messages from the live stream. Unset that to hand in others.',
)

/** Delivers messages that the author's program or a command hands in, as if they came from the stream. */
export class GivenMessages {
  readonly #assembly: Assembly
  readonly #lifecycle: GivenMessagesOptions['lifecycle']
  readonly #givenUp: AbortSignal
  readonly #redactor: Redactor
  /** Aborts when the connector has stopped; unfinished messages then never finish. */
  readonly #over = new AbortController()

  constructor(assembly: Assembly, { lifecycle, givenUp, redactor, cluster }: GivenMessagesOptions) {
    if (cluster !== undefined) this.#over.abort(divided)
    this.#assembly = assembly
    this.#lifecycle = lifecycle
    this.#givenUp = givenUp
    this.#redactor = redactor
  }

  /** Delivers one message; resolves with its outcome. */
  async one(message: StreamMessage): Promise<Outcome> {
    return scrubbed(await raceWithSignal(this.#over.signal, () => this.#one(message)), this.#redactor)
  }

  /** Delivers messages in order; resolves when all are finished. */
  all(messages: AsyncIterable<StreamMessage>): Promise<void> {
    return raceWithSignal(this.#over.signal, () => this.#all(messages))
  }

  /** The connector has stopped: rejects what is unfinished. */
  stop(): void {
    this.#over.abort(stopped)
  }

  async #one(message: StreamMessage): Promise<Outcome> {
    const { engine, pipeline, room, snapshots } = this.#assembly
    await this.#open()
    await room.room()
    const outcome = await new Promise<Outcome>((resolve) => {
      pipeline.accept(message, undefined, resolve)
      engine.hurry()
    })
    if (outcome !== listed) return outcome
    return snapshots!.outcomeOf(this.#lifecycle.state !== 'idle', this.#givenUp)
  }

  async #all(messages: AsyncIterable<StreamMessage>): Promise<void> {
    const { engine, pipeline, room } = this.#assembly
    await this.#open()
    const ended = Promise.withResolvers<void>()
    // One extra, until the last message is accepted.
    let left = 1
    const onEnd = () => {
      if (--left === 0) ended.resolve()
    }
    for await (const message of messages) {
      await room.room()
      left++
      pipeline.accept(message, undefined, onEnd)
    }
    // Batches need not wait for messages that cannot come. While a stream is read they can, and it may never
    // end.
    if (this.#lifecycle.state === 'idle') void engine.drain()
    else engine.hurry()
    onEnd()
    await ended.promise
  }

  async #open(): Promise<void> {
    await this.#assembly.open()
    await this.#assembly.resume()
  }
}

/** The part of an assembly's options that this uses. */
export type GivenMessagesOptions = Pick<AssemblyOptions, 'lifecycle' | 'givenUp' | 'redactor' | 'cluster'>
