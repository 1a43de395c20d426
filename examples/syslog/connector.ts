import { connect, isIP } from 'node:net'
import { hostname as ownHostname } from 'node:os'
import { addAbortSignal, Duplex } from 'node:stream'
import { connect as connectTls, rootCertificates } from 'node:tls'
import {
  RetryableError,
  StreamConnector,
  confidenceOf,
  defineSettings,
  descriptionOf,
  entityKeyOf,
  itemsOf,
  labelsOf,
  nameOf,
  parsePosition,
  scoreOf,
  severityOf,
  targetSettings,
  tlpOf,
  updatedAtOf,
  validUntilOf,
  z,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type FlushOperation,
  type FlushResult,
  type SettingsOf,
} from 'opencti-stream-connector'

const settings = defineSettings({
  syslog: targetSettings()
    .omit({ proxy: true })
    .extend({
      url: z
        .url({ protocol: /^tls$/, error: 'must be tls://HOST:PORT' })
        .describe('Address of the receiver, tls://HOST:PORT; without a port, 6514.'),
      format: z.enum(['cef', 'json']).default('cef').describe('Format of the messages.'),
      hostname: z
        .string()
        .regex(/^[!-~]{1,255}$/)
        .optional()
        .describe('Name of the sender in each message. Unset: that of this machine.'),
      facility: z.int().min(0).max(23).default(16).describe('Facility; 16 to 23 are local0 to local7.'),
      enterprise_id: z
        .int()
        .min(1)
        .default(32_473)
        .describe(
          'Private enterprise number of your organization; the default is the one for examples (RFC 5612).',
        ),
      max_message_bytes: z
        .int()
        .min(480)
        .default(8192)
        .describe(
          'Longest message that the receiver takes, in bytes: 4096 by default in QRadar, 8192 in rsyslog.',
        ),
      confirm: z
        .enum(['close_notify', 'close'])
        .default('close_notify')
        .describe('How the receiver says that it has read everything: the end of TLS, or only that of TCP.'),
    }),
})

type Receiver = SettingsOf<typeof settings>['syslog']
type Operation = FlushOperation<ThreatRecord>
type ThreatRecord = ReturnType<typeof recordOf>

/** Severities of RFC 5424, by score: informational, notice, warning, error. */
const severities = { 0: 6, 40: 5, 60: 4, 80: 3 } as const

/** Sends a message for each change of an indicator to a receiver of syslog over TLS (RFC 5424, RFC 5425). */
export class SyslogConnector extends StreamConnector<typeof settings, ThreatRecord> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Syslog',
    filter: { types: ['indicator'] },
    batch: { maxItems: 500, maxBytes: 1_000_000, maxWaitMs: 1000 },
    hookTimeoutMs: 30_000,
  } satisfies ConnectorDefaults

  override check = (signal: AbortSignal) => exchange('', this.settings.syslog, signal)

  transform = (entity: Entity) => recordOf(entity)

  override async flush(operations: readonly Operation[]): Promise<FlushResult[]> {
    const { syslog } = this.settings
    const { max_message_bytes: maxBytes } = syslog
    const messages = operations.map((operation) => this.#messageOf(operation))
    const frames = messages
      .filter((each) => bytesOf(each) <= maxBytes)
      .map((each) => `${bytesOf(each)} ${each}`)
    if (frames.length > 0) {
      const { signal } = operations[0]!.context
      await exchange(frames.join(''), syslog, signal)
      // While it shuts down, a receiver throws away what it has read, and still ends each connection in good order. It takes no other.
      await exchange('', syslog, signal)
    }
    return messages.map((message) =>
      bytesOf(message) <= maxBytes
        ? 'ok'
        : {
            status: 'reject',
            reason: `The message has ${bytesOf(message)} bytes without description and pattern; the receiver takes ${maxBytes} (SYSLOG_MAX_MESSAGE_BYTES, syslog.max_message_bytes).`,
          },
    )
  }

  #messageOf({ kind, item, context }: Operation): string {
    const { syslog, opencti, connector } = this.settings
    // A delete tells what was there, as far as the platform still says.
    const record = item ?? recordOf(context.entity)
    const link = `${opencti.url.replace(/\/$/, '')}/dashboard/id/${record.id}`
    const about = { action: kind, reason: context.reason, at: timeOf(context), sender: connector.id, link }
    const write = (content: ThreatRecord) =>
      headerOf(syslog, content, context) +
      (syslog.format === 'cef' ? cefOf(content, about) : JSON.stringify({ ...about, ...content }))
    const message = write(record)
    if (bytesOf(message) <= syslog.max_message_bytes) return message
    return write({ ...record, description: undefined, pattern: undefined, shortened: true })
  }
}

/** What a message says about an entity. */
function recordOf(entity: Entity) {
  const { items } = itemsOf(entity)
  return {
    id: entityKeyOf(entity),
    stix_id: entity.id,
    type: entity.type,
    name: nameOf(entity),
    values: items.map(({ value }) => value),
    value_types: items.map(({ kind }) => kind),
    score: scoreOf(entity),
    severity: severityOf(entity, severities) ?? 5,
    confidence: confidenceOf(entity),
    tlp: tlpOf(entity),
    labels: labelsOf(entity),
    valid_until: validUntilOf(entity),
    description: descriptionOf(entity),
    pattern: entity.type === 'indicator' ? entity.pattern : undefined,
    shortened: undefined as true | undefined,
  }
}

/** The time of the event, so that a message that comes twice is the same twice. */
function timeOf({ position, entity }: EventContext): string | undefined {
  const ms = parsePosition(position ?? '')?.ms
  return ms === undefined ? updatedAtOf(entity) : new Date(ms).toISOString()
}

const bytesOf = (text: string) => Buffer.byteLength(text)

/** The header and the structured data of RFC 5424, section 6. */
function headerOf(
  syslog: Receiver,
  { id, stix_id, type, severity }: ThreatRecord,
  context: EventContext,
): string {
  const parameters = Object.entries({ id, stix_id, type, position: context.position ?? '-' })
    .map(([name, value]) => ` ${name}="${value.replaceAll(/["\\\]]/g, '\\$&')}"`)
    .join('')
  const priority = syslog.facility * 8 + severity
  const data = `[opencti@${syslog.enterprise_id} action="${context.event}"${parameters}]`
  // Without a byte order mark, which RFC 5424 allows, because parsers of CEF do not expect it.
  return `<${priority}>1 ${timeOf(context) ?? '-'} ${syslog.hostname ?? ownHostname()} OpenCTI - ${context.event} ${data} `
}

interface About {
  readonly action: string
  readonly reason: string | undefined
  readonly at: string | undefined
  readonly sender: string
  readonly link: string
}

/** ArcSight Common Event Format, version 0, with keys of its dictionary for what is not in it. */
function cefOf(record: ThreatRecord, { action, reason, at, sender, link }: About): string {
  const score = record.score === undefined ? 'Unknown' : String(Math.round(record.score / 10))
  const header = ['Filigran', 'OpenCTI', '1', `${record.type}:${action}`, `${record.type} ${action}d`, score]
  const fields = {
    rt: at && Date.parse(at),
    act: action,
    reason,
    externalId: record.id,
    deviceExternalId: sender,
    cat: record.type,
    ...labeled('cs1', 'values', record.values.join('\n')),
    ...labeled('cs2', 'valueTypes', record.value_types.join('\n')),
    ...labeled('cs3', 'tlp', record.tlp),
    ...labeled('cs4', 'labels', record.labels.join('\n')),
    ...labeled('cs5', 'pattern', record.pattern),
    ...labeled('cs6', 'link', link),
    ...labeled('cn1', 'score', record.score),
    ...labeled('cn2', 'confidence', record.confidence),
    ...labeled('deviceCustomDate1', 'validUntil', record.valid_until && Date.parse(record.valid_until)),
    ...labeled('flexString1', 'name', record.name),
    ...labeled('flexString2', 'shortened', record.shortened && 'without description and pattern'),
    msg: record.description,
  }
  const extension = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined || value === '' ? [] : [`${key}=${extensionText(String(value))}`],
  )
  return `CEF:0|${header.map(headerText).join('|')}|${extension.join(' ')}`
}

const labeled = (key: string, label: string, value: string | number | undefined) =>
  value === undefined || value === '' ? {} : { [`${key}Label`]: label, [key]: value }

/** In the header, only pipes and backslashes are escaped, and a line must not break. */
const headerText = (text: string) => text.replaceAll(/[\\|]/g, '\\$&').replaceAll(/\p{Cc}+/gu, ' ')

/** In the extension, equal signs and backslashes are escaped, and line breaks are written as \n and \r. */
const extensionText = (text: string) =>
  text
    .replaceAll(/[\\=]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll(/\p{Cc}+/gu, ' ')

/**
 * Sends octet-counted frames on a connection and waits for the answer to its end. Syslog has no acknowledgment, but a receiver must
 * answer close_notify with close_notify (RFC 5425, section 4.4), and it reads that only after everything before.
 */
function exchange(frames: string, receiver: Receiver, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(receiver.url)
  const host = hostname.replaceAll(/[[\]]/g, '')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const tcp = addAbortSignal(signal, connect({ host, port: Number(port || 6514) }))
  // Node does not say whether TLS has ended or only TCP. So TLS never learns of the end of TCP.
  const below = new Duplex({
    read: () => {},
    write: (piece, _, done) => void tcp.write(piece as Buffer, done),
    final: (done) => done(),
  })
  const session = connectTls({
    socket: below,
    host,
    servername: isIP(host) === 0 ? host : '',
    rejectUnauthorized: receiver.ssl_verify,
    ca: receiver.ssl_ca === undefined ? undefined : [...rootCertificates, receiver.ssl_ca],
    cert: receiver.ssl_cert,
    key: receiver.ssl_key?.reveal(),
    passphrase: receiver.ssl_passphrase?.reveal(),
  })
  let isAnswered = false
  // Not before the certificate was verified: Node would already send what was written.
  session.once('secureConnect', () =>
    frames === '' ? session.end() : session.write(frames, () => session.end()),
  )
  session.once('end', () => {
    isAnswered = session.writableEnded
    tcp.end()
  })
  tcp.on('data', (piece) => below.push(piece))
  // TLS has by then read all that came.
  tcp.once('close', () => {
    if (isAnswered || (receiver.confirm === 'close' && session.writableEnded)) resolve()
    else reject(unanswered(receiver))
  })
  tcp.once('error', reject)
  session.once('error', (cause) => reject(failedTls(receiver, cause)))
  session.resume()
  return promise.finally(() => [session, below, tcp].forEach((stream) => stream.destroy()))
}

const failedTls = ({ url }: Receiver, cause: Error) =>
  new RetryableError(
    `TLS with the syslog receiver at ${url} failed: ${cause.message}. Check SYSLOG_SSL_CA, SYSLOG_SSL_CERT, and the name in SYSLOG_URL.`,
    { cause },
  )

const unanswered = ({ url, confirm }: Receiver) =>
  new RetryableError(
    confirm === 'close_notify'
      ? `The syslog receiver at ${url} ended the connection without close_notify, so it may not have read everything. If it never sends one, such as rsyslog with the driver gtls, set SYSLOG_CONFIRM=close (syslog.confirm).`
      : `The syslog receiver at ${url} ended the connection too early, so it may not have read everything.`,
  )
