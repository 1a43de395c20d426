import {
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  PermanentError,
  SkipEvent,
  StreamConnector,
  confidenceOf,
  defineSettings,
  descriptionOf,
  entityKeyOf,
  fieldOf,
  labelsOf,
  nameOf,
  octiTypeOf,
  secret,
  targetSettings,
  tlpOf,
  z,
} from 'opencti-stream-connector'

const settings = defineSettings({
  request_tracker: targetSettings().extend({
    token: secret().describe('Auth token of the connector’s user in RT.'),
    queue: z.string().describe('Queue for new tickets.'),
    requestor: z.string().optional().describe('Requestor of new tickets: an email address.'),
    owner: z.string().optional().describe('Owner of new tickets: the name of a user. Unset: nobody.'),
    gone_status: z.string().default('rejected').describe('Status for open tickets whose entity is gone.'),
  }),
})

const types = ['incident', 'case-incident', 'case-rfi', 'case-rft', 'report', 'grouping']

/** Custom fields that the queue must have. */
const customFields = ['OpenCTI ID', 'OpenCTI Type', 'OpenCTI State', 'OpenCTI Description', 'TLP', 'Labels']

/** RT's priorities go from 0 to 100. Its names for them are Low (0), Medium (50), and High (100). */
const priorities: Record<string, number> = {
  P1: 100,
  critical: 100,
  P2: 75,
  high: 75,
  P3: 50,
  medium: 50,
  P4: 25,
  low: 25,
}

/** What a ticket says, by the name of its fields. */
type Fields = Readonly<Record<string, string>>

/**
 * A ticket of REST 2 (https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html). RT answers a `PUT` or a comment with 200 even if
 * it did not take a field (no right, no such field, no such status), and a search for a custom field that does not exist with
 * no tickets. So the connector reads each ticket that it wrote.
 */
interface Ticket {
  readonly Subject: string
  readonly Status: string
  readonly Priority: string
  readonly Owner: { readonly id: string }
  /** 1970-01-01 while it is open. */
  readonly Resolved: string
  readonly CustomFields: readonly { readonly name: string; readonly values: readonly (string | null)[] }[]
}

interface Queue {
  readonly TicketCustomFields: readonly { readonly name: string }[]
  /** Among others what the user may do. */
  readonly _hyperlinks: readonly { readonly ref: string }[]
}

/** Opens a ticket in Request Tracker for each incident, case, and report, keeps it up to date, and links it in OpenCTI. */
export class RequestTrackerConnector extends StreamConnector<typeof settings, Fields> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Request Tracker',
    filter: { types },
    concurrency: 4,
    // RT goes on with a request whose client was killed, and its search shows the ticket only then.
    searchLagMs: 10_000,
  } satisfies ConnectorDefaults
  readonly #url = this.settings.request_tracker.url.replace(/\/+$/, '')
  readonly #rt = this.targetHttp(this.settings.request_tracker).extend({
    prefix: `${this.#url}/REST/2.0`,
    headers: { authorization: `token ${this.settings.request_tracker.token.reveal()}` },
  })

  transform(entity: Entity): Fields {
    const urgencies = [fieldOf(entity, 'priority'), fieldOf(entity, 'severity')]
    const priority = urgencies.map((name) => priorities[String(name)]).find((number) => number !== undefined)
    return {
      Subject: subjectOf(entity),
      Priority: String(priority ?? confidenceOf(entity) ?? 0),
      'OpenCTI ID': entityKeyOf(entity),
      'OpenCTI Type': octiTypeOf(entity) ?? entity.type,
      'OpenCTI State': 'present',
      'OpenCTI Description': (descriptionOf(entity) ?? '').replaceAll(unwanted, ''),
      TLP: tlpOf(entity),
      Labels: labelsOf(entity).join(', '),
    }
  }

  /** Says in one line what is missing at RT, before the first ticket is written. */
  override async check(signal: AbortSignal): Promise<void> {
    const { queue: name } = this.settings.request_tracker
    const throwHttpErrors = (status: number) => ![401, 403, 404].includes(status)
    const answer = await this.#rt.get(`queue/${encodeURIComponent(name)}`, { signal, throwHttpErrors })
    const place = `of the queue "${name}"`
    if (answer.status === 401)
      throw new Error('Request Tracker refuses the token. Set REQUEST_TRACKER_TOKEN to an auth token of RT.')
    if (answer.headers.get('content-type')?.includes('json') !== true)
      throw new Error(`${this.#url} is not the address of Request Tracker 5: it has no REST 2 API.`)
    if (!answer.ok)
      throw new Error(
        `Request Tracker has no queue "${name}", or the token's user lacks the right SeeQueue on it. Check REQUEST_TRACKER_QUEUE.`,
      )
    const queue = await answer.json<Queue>()
    if (queue._hyperlinks.every(({ ref }) => ref !== 'create'))
      throw new Error(`The token's user lacks the right CreateTicket ${place}.`)
    const known = new Set(queue.TicketCustomFields.map((field) => field.name))
    const missing = customFields.filter((field) => !known.has(field))
    if (missing.length > 0)
      throw new Error(
        `These custom fields ${place} are missing, or the token's user lacks the right SeeCustomField: ${missing.join(', ')}. See the README for how to create them.`,
      )
  }

  override async find(entity: Entity, { signal }: EventContext): Promise<string | undefined> {
    return this.#find(entity, signal)
  }

  override async create(fields: Fields, { entity, signal }: EventContext): Promise<string> {
    const { queue: Queue, requestor: Requestor, owner: Owner } = this.settings.request_tracker
    const { Subject, Priority, ...CustomFields } = fields
    const text = { Subject, Content: fields['OpenCTI Description'] || Subject, ContentType: 'text/plain' }
    const json = { ...text, Queue, Requestor, Owner, Priority, CustomFields, RefersTo: this.#pageOf(entity) }
    const { id } = await this.#rt.post('ticket', { json, signal }).json<{ id: string }>()
    // A request whose answer was lost can still have made a ticket while this one was on its way.
    const first = (await this.#find(entity, signal)) ?? id
    if (first !== id) await this.#rt.put(`ticket/${id}`, { json: { MergeInto: first }, signal })
    await this.#verify(first, Owner === undefined ? fields : { ...fields, Owner }, [], signal)
    return first
  }

  override async update(fields: Fields, context: EventContext): Promise<void> {
    const ticket = await this.#read(context.externalId!, context.signal)
    const wasGone = ticket['OpenCTI State'] !== 'present' && ticket['Status'] === this.#goneStatus
    await this.#bring(ticket, wasGone ? { ...fields, Status: 'open' } : fields, context)
  }

  override async delete(context: EventContext): Promise<void> {
    const ticket = await this.#read(context.externalId!, context.signal)
    const isOpen = ticket['Resolved']!.startsWith('1970-01-01')
    const wanted = { 'OpenCTI State': context.reason!, ...(isOpen ? { Status: this.#goneStatus } : {}) }
    await this.#bring(ticket, wanted, context)
  }

  override link(externalId: string | undefined) {
    const url = `${this.#url}/Ticket/Display.html?id=${externalId}`
    return { source_name: 'Request Tracker', external_id: externalId, url }
  }

  /** The first ticket that was made for an entity. A search never shows deleted tickets. */
  async #find(entity: Entity, signal: AbortSignal): Promise<string | undefined> {
    const page = quoted(this.#pageOf(entity))
    const query = `'CF.{OpenCTI ID}' = ${quoted(entityKeyOf(entity))} OR (RefersTo = ${page} AND Creator = '__CurrentUser__')`
    const searchParams = { query, orderby: 'id', per_page: 1 }
    const { items } = await this.#rt
      .get('tickets', { searchParams, signal })
      .json<{ items: { id: string }[] }>()
    return items[0]?.id
  }

  async #read(id: string, signal: AbortSignal): Promise<Fields> {
    const { Subject, Status, Priority, Owner, Resolved, CustomFields } = await this.#rt
      .get(`ticket/${id}`, { signal })
      .json<Ticket>()
    const custom = Object.fromEntries(CustomFields.map(({ name, values }) => [name, values[0] ?? '']))
    return { Subject, Status, Priority, Owner: Owner.id, Resolved, ...custom }
  }

  /** Makes a ticket say what is wanted, and tells in a comment what changed. */
  async #bring(ticket: Fields, wanted: Fields, context: EventContext): Promise<void> {
    const { externalId: id, entity, signal } = context
    const owner = ticket['OpenCTI ID'] ?? ''
    if (owner !== '' && owner !== entityKeyOf(entity)) throw new SkipEvent('ticket-merged')
    const changes = Object.entries(wanted).filter(([name, value]) => value !== ticket[name])
    if (changes.length === 0) return
    const { Subject, Priority, Status, ...CustomFields } = Object.fromEntries(changes)
    const lines = changes.map(([name, value]) => lineOf(name, ticket[name], value))
    const Content = [
      `OpenCTI: ${context.message ?? context.reason ?? 'the current state'}`,
      '',
      ...lines,
    ].join('\n')
    const comment = { Content, ContentType: 'text/plain', CustomFields, Status }
    const told = await this.#rt.post(`ticket/${id}/comment`, { json: comment, signal }).json<string[]>()
    const rest = { json: { Subject, Priority }, signal }
    if ((Subject ?? Priority) !== undefined)
      told.push(...(await this.#rt.put(`ticket/${id}`, rest).json<string[]>()))
    await this.#verify(id!, wanted, told, signal)
  }

  /** @param told what RT said about it. */
  async #verify(id: string, wanted: Fields, told: readonly string[], signal: AbortSignal): Promise<void> {
    const ticket = await this.#read(id, signal)
    const kept = Object.keys(wanted).filter((name) => wanted[name] !== ticket[name])
    if (kept.length === 0) return
    throw new PermanentError(
      `Request Tracker did not take ${kept.join(', ')} of ticket ${id}. Does the token's user have the rights ModifyTicket and ModifyCustomField, and does the queue have the custom fields and statuses? RT said: ${told.join('; ') || 'nothing'}`,
    )
  }

  get #goneStatus(): string {
    return this.settings.request_tracker.gone_status
  }

  #pageOf(entity: Entity): string {
    return `${this.settings.opencti.url}/dashboard/id/${entityKeyOf(entity)}`
  }
}

/** Control characters, except tabs and line feeds. */
const unwanted = /[^\P{Cc}\t\n]/gu

/** RT cuts a subject after 200 bytes, and says nothing. */
function subjectOf(entity: Entity): string {
  const bytes = Buffer.from(nameOf(entity).replaceAll(/\s+/g, ' ').replaceAll(unwanted, '').trim())
  const cut = new TextDecoder().decode(bytes.subarray(0, 197), { stream: true })
  return bytes.length > 200 ? `${cut}…` : bytes.toString()
}

/** A text of TicketSQL. */
function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`
}

function lineOf(name: string, before = '', after = ''): string {
  const isShort = before.length + after.length < 200
  return isShort ? `${name}: ${before || 'none'} → ${after || 'none'}` : `${name} has changed`
}
