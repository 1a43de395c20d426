import {
  SkipEvent,
  StreamConnector,
  defineSettings,
  descriptionOf,
  entityKeyOf,
  labelsOf,
  nameOf,
  octiTypeOf,
  secret,
  tlpOf,
  z,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type FlushOperation,
  type SettingsOf,
} from 'opencti-stream-connector'

const service = () => z.enum(['slack', 'teams', 'matrix'])
const address = () => secret().refine((url) => /^https?:\/\/\S+$/.test(url.reveal()), 'must be a web address')
const room = () => z.string().regex(/^![^\s/?#]+$/, 'must be the id of a room, such as !abc:example.org')
const channels = ['normal', 'secure'] as const

const settings = defineSettings({
  chat: z
    .object({
      normal_service: service().describe('Service of the normal channel.'),
      normal_url: address().describe('Webhook of the normal channel; for Matrix, the homeserver.'),
      normal_token: secret().optional().describe('Access token, for Matrix.'),
      normal_room: room().optional().describe('Id of the room, for Matrix.'),
      secure_service: service().optional().describe('Service of the secure channel. Unset: there is none.'),
      secure_url: address().optional().describe('Webhook of the secure channel; for Matrix, the homeserver.'),
      secure_token: secret().optional().describe('Access token, for Matrix.'),
      secure_room: room().optional().describe('Id of the room, for Matrix.'),
      digest_s: z.number().min(0).max(3600).default(5).describe('How long to collect news for one message.'),
      updates: z.boolean().default(false).describe('Whether to post changes as well.'),
    })
    .superRefine((chat, { addIssue }) => {
      for (const channel of channels) {
        const service = chat[`${channel}_service`]
        const isMatrix = service === 'matrix'
        const needed = [service && 'url', isMatrix && 'token', isMatrix && 'room'] as const
        for (const field of needed)
          if (field && chat[`${channel}_${field}`] === undefined)
            addIssue({
              code: 'custom',
              path: [`${channel}_${field}`],
              message: 'is not set',
            })
      }
    }),
})

const types = ['incident', 'report', 'grouping', 'case-incident', 'case-rfi', 'case-rft']
/** All three services take one message a second in a channel. */
const limits = { rateLimit: { perSecond: 1, burst: 1 }, concurrency: 1 }

/** Posts what is new on the platform to a chat: each marking to the channel whose members may see it. */
export class ChatConnector extends StreamConnector<typeof settings, object> {
  static override readonly settings = settings
  static override readonly defaults = ({ chat }: SettingsOf<typeof settings>) => {
    const normal = { tlp: ['TLP:CLEAR', 'TLP:GREEN', 'TLP:AMBER'], ...limits } as const
    const secure = { tlp: ['TLP:CLEAR', 'TLP:AMBER+STRICT', 'TLP:RED'], ...limits } as const
    return {
      name: 'Chat',
      start: 'now',
      filter: { types },
      routes: chat.secure_service === undefined ? { normal } : { normal, secure },
      // As much as any service takes in one message: see `formats`.
      batch: { maxItems: 20, maxBytes: 10_000, maxWaitMs: chat.digest_s * 1000, maxInFlight: 1 },
    } satisfies ConnectorDefaults
  }

  transform(entity: Entity, { event, route }: EventContext): object {
    if (event === 'update' && !this.settings.chat.updates) throw new SkipEvent('updates-off')
    return this.#block(event === 'create' ? 'New' : 'Changed', entity, route)
  }

  override async flush(operations: readonly FlushOperation<object>[]): Promise<void> {
    const [{ context }] = operations as [FlushOperation<object>]
    const { service, url } = this.#channel(context.route)
    const blocks = operations.map(
      ({ item, context: { entity, reason, route } }) =>
        item ?? this.#block(`Withdrawn (${reason})`, entity, route),
    )
    if (service === 'matrix')
      await Promise.all(blocks.map((block, index) => this.#send(block, operations[index]!.context)))
    else
      await this.routeHttp(context.route!).post(url, {
        json: formats[service].message(blocks),
        signal: context.signal,
      })
  }

  /** A homeserver takes a transaction once, however often it is sent (Client-Server API, "Transaction identifiers"). */
  async #send(
    json: object,
    { event, position, entity, envelope, route, signal }: EventContext,
  ): Promise<void> {
    const { url, headers, room } = this.#channel(route)
    const { id } = this.settings.connector
    // What a catch-up sends can have the position of an event; it has no type.
    const transaction = [
      id,
      entityKeyOf(entity),
      position ?? Date.now(),
      envelope.type ?? 'state',
      event,
    ].join('.')
    const path = `rooms/${encodeURIComponent(room)}/send/m.room.message/${encodeURIComponent(transaction)}`
    await this.routeHttp(route!).put(`${url}/_matrix/client/v3/${path}`, { json, headers, signal })
  }

  /** Posts nothing. A webhook of Teams can only be asked by posting. */
  override async check(signal: AbortSignal): Promise<void> {
    const roomsOf = new Map<string, Promise<readonly string[]>>()
    for (const { name } of this.delivery.routes) {
      const { service, url, headers, room } = this.#channel(name)
      const setting = `CHAT_${name.toUpperCase()}`
      if (service === 'slack') {
        const answer = await this.http.post(url, { json: {}, signal, throwHttpErrors: false })
        const said = await answer.text()
        // What Slack says about a message without a text, if the webhook is right.
        if (!/no_text|invalid_payload/.test(said))
          throw new Error(`Slack does not take ${setting}_URL: ${answer.status} ${said.slice(0, 100)}`)
      }
      if (service === 'matrix') {
        const user = `${url} ${headers.authorization}`
        roomsOf.set(user, roomsOf.get(user) ?? this.#joinedRooms(url, headers, signal))
        if (!(await roomsOf.get(user)!).includes(room))
          throw new Error(`The user of ${setting}_TOKEN is not in the room ${room}: invite it, and join.`)
      }
    }
  }

  async #joinedRooms(url: string, headers: Record<string, string>, signal: AbortSignal) {
    const answer = await this.http.get(`${url}/_matrix/client/v3/joined_rooms`, { headers, signal })
    return (await answer.json<{ joined_rooms: string[] }>()).joined_rooms
  }

  #channel(route: string | undefined) {
    const { chat } = this.settings
    const channel = route === 'secure' ? 'secure' : 'normal'
    const url = chat[`${channel}_url`]!.reveal().replace(/\/$/, '')
    const headers = { authorization: `Bearer ${chat[`${channel}_token`]?.reveal()}` }
    return { service: chat[`${channel}_service`]!, url, headers, room: chat[`${channel}_room`] ?? '' }
  }

  #block(heading: string, entity: Entity, route: string | undefined): object {
    const labels = labelsOf(entity)
    return formats[this.#channel(route).service].block({
      heading: `${heading} ${octiTypeOf(entity) ?? entity.type}`,
      name: short(nameOf(entity), 150),
      url: `${this.settings.opencti.url.replace(/\/$/, '')}/dashboard/id/${entityKeyOf(entity)}`,
      notes: short([tlpOf(entity), ...labels].join(', '), 100),
      text: short(descriptionOf(entity) ?? '', 250),
    })
  }
}

interface News {
  readonly heading: string
  readonly name: string
  readonly url: string
  readonly notes: string
  readonly text: string
}

/** At most so many characters, in one line, and never half of one. */
function short(text: string, max: number): string {
  const characters = [...text.replaceAll(/\s+/g, ' ').trim()]
  return characters.length > max ? `${characters.slice(0, max - 1).join('')}…` : characters.join('')
}

/** For mrkdwn (docs.slack.dev/messaging/formatting-message-text) and for HTML. */
const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** How a service shows one piece of news, and how a message holds several. */
const formats = {
  /**
   * At most 3,000 characters a section and 50 blocks (docs.slack.dev/reference/block-kit/blocks), and about 13,000
   * characters in all. Verbatim: nobody should click on an address in a report by accident.
   */
  slack: {
    block: ({ heading, name, url, notes, text }: News) => ({
      type: 'section',
      text: {
        type: 'mrkdwn',
        verbatim: true,
        text: `*${escaped(heading)}* <${url}|${escaped(name)}> (${escaped(notes)})\n${escaped(text)}`,
      },
    }),
    message: (blocks: readonly object[]) => ({
      text: blocks.length === 1 ? 'News from OpenCTI' : `${blocks.length} news from OpenCTI`,
      blocks,
      unfurl_links: false,
      unfurl_media: false,
    }),
  },
  /** At most 28 KB (learn.microsoft.com/connectors/teams). A text run has no markup that would need escaping. */
  teams: {
    block: ({ heading, name, url, notes, text }: News) => ({
      type: 'RichTextBlock',
      inlines: [
        { type: 'TextRun', text: `${heading} `, weight: 'Bolder' },
        { type: 'TextRun', text: name, selectAction: { type: 'Action.OpenUrl', url } },
        { type: 'TextRun', text: ` (${notes})\n${text}` },
      ],
    }),
    message: (body: readonly object[]) => ({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.4',
            msteams: { width: 'Full' },
            body,
          },
        },
      ],
    }),
  },
  /** At most 64 KiB an event (Client-Server API, "Size limits"). Notices are what bots send. */
  matrix: {
    block: ({ heading, name, url, notes, text }: News) => ({
      msgtype: 'm.notice',
      body: `${heading} ${name} (${notes})\n${text}\n${url}`,
      format: 'org.matrix.custom.html',
      formatted_body: `<strong>${escaped(heading)}</strong> <a href="${url}">${escaped(name)}</a> (${escaped(notes)})<br>${escaped(text)}`,
    }),
  },
}
