import {
  PermanentError,
  StreamConnector,
  defineSettings,
  entityKeyOf,
  secret,
  z,
} from 'opencti-stream-connector'
import type { ConnectorDefaults, Entity, EventContext } from 'opencti-stream-connector'
import { jetstream, jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import { connect, headers, nanos, type NatsConnection } from '@nats-io/transport-node'

const settings = defineSettings({
  nats: z.object({
    url: z
      .url({ protocol: /^nats$/, error: 'must be a URL such as nats://nats.example:4222' })
      .describe('Address of a server: nats://nats.example:4222.'),
    username: z.string().optional().describe('User name.'),
    password: secret().optional().describe('Password of the user.'),
    stream: z
      .string()
      .regex(/^[\w-]+$/, 'must consist of letters, digits, _, and -')
      .default('opencti')
      .describe('Stream that holds the records. It is created if it is not there.'),
    subject: z
      .string()
      .regex(/^[\w-]+(\.[\w-]+)*$/, 'must be a subject without wildcards')
      .default('opencti')
      .describe('What the subjects of all records begin with.'),
  }),
})

/** JetStream drops a record whose id it has had within this time. */
const dedupeWindow = nanos(10 * 60_000)

/** Room for the headers, which count towards the largest message that a server takes. */
const headerBytes = 1000

/** Records every event of a live stream in NATS JetStream, under a subject of its entity. */
export class NatsConnector extends StreamConnector<typeof settings> {
  static override readonly settings = settings
  static override readonly defaults = { name: 'NATS', concurrency: 64 } satisfies ConnectorDefaults
  readonly #subject = this.settings.nats.subject
  #nats!: NatsConnection
  #opening: Promise<void> | undefined

  transform = (entity: Entity) => entity
  override create = (_: Entity, context: EventContext) => this.#record(context)
  override update = (_: Entity, context: EventContext) => this.#record(context)
  override delete = (context: EventContext) => this.#record(context)

  /** The client does not reconnect by itself: so the base class learns at once what is wrong, and decides when to try again. */
  override async open(): Promise<void> {
    const { url, username, password } = this.settings.nats
    this.#nats = await connect({
      servers: url,
      name: this.settings.connector.name,
      ...(username !== undefined && { user: username }),
      ...(password !== undefined && { pass: password.reveal() }),
      reconnect: false,
      timeout: 5000,
      pingInterval: 10_000,
    })
  }

  override async check(): Promise<void> {
    const { stream } = this.settings.nats
    const manager = await jetstreamManager(await this.#connection())
    const subjects = `${this.#subject}.>`
    const [found] = await manager.streams.list(subjects).next()
    if (found === undefined)
      await manager.streams.add({ name: stream, subjects: [subjects], duplicate_window: dedupeWindow })
    else requireFit(found.config, stream, subjects)
  }

  override close(): Promise<void> | undefined {
    return this.#nats?.close()
  }

  async #connection(): Promise<NatsConnection> {
    if (this.#nats.isClosed())
      await (this.#opening ??= this.open().finally(() => (this.#opening = undefined)))
    return this.#nats
  }

  async #record(context: EventContext): Promise<void> {
    const { event, entity, position, reason, message, patch } = context
    const id = entityKeyOf(entity)
    const body = JSON.stringify({ event, reason, position, entity, message, patch })
    const nats = await this.#connection()
    const maxBytes = nats.info!.max_payload - headerBytes
    const bytes = Buffer.byteLength(body)
    if (bytes > maxBytes)
      throw new PermanentError(`The record has ${bytes} bytes; the server takes ${maxBytes} (max_payload)`)
    const facts = headers()
    facts.set('OpenCTI-Event', event)
    facts.set('OpenCTI-Type', entity.type)
    facts.set('OpenCTI-Id', id)
    if (reason !== undefined) facts.set('OpenCTI-Reason', reason)
    const subject = `${this.#subject}.${tokenOf(entity.type)}.${tokenOf(id)}`
    // Not made from the position: when the past is told again, all of it must come, or an old record would be the last one.
    const options = { headers: facts, msgID: context.idempotencyKey }
    await jetstream(nats, { timeout: 5000 }).publish(subject, body, options)
  }
}

/** A part of a subject: without dots, blanks, and wildcards. */
function tokenOf(text: string): string {
  return text.replaceAll(/[^\w-]/g, '_')
}

/** @throws if the stream that holds the subjects would lose or refuse records. */
function requireFit(
  { name, subjects, no_ack, duplicate_window }: StreamConfig,
  stream: string,
  wanted: string,
): void {
  if (name !== stream)
    throw new Error(
      `The stream "${name}" holds ${wanted}, not "${stream}": set NATS_STREAM, or choose another NATS_SUBJECT`,
    )
  const covers = (subject: string) => subject.endsWith('>') && wanted.startsWith(subject.slice(0, -1))
  if (!subjects.some(covers))
    throw new Error(`The stream "${name}" holds only ${subjects.join(', ')}: add ${wanted}`)
  if (no_ack) throw new Error(`The stream "${name}" acknowledges nothing (no_ack), so records could be lost`)
  if (duplicate_window < nanos(60_000))
    throw new Error(
      `The stream "${name}" forgets the ids of records too soon: set duplicate_window to a minute or more`,
    )
}
