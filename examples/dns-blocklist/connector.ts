import { execFile } from 'node:child_process'
import {
  PermanentError,
  RetryableError,
  StreamConnector,
  defineSettings,
  itemsOf,
  rpzName,
  secret,
  z,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type FlushOperation,
  type KeyedItem,
} from 'opencti-stream-connector'

const name = () =>
  z.string().regex(/^([\w-]{1,63}\.)*[a-z][\w-]{0,62}$/i, 'must be a domain name, such as rpz.example')
const base64 = /^[a-z\d+/]+={0,2}$/i
const algorithms = [
  'hmac-sha224',
  'hmac-sha256',
  'hmac-sha384',
  'hmac-sha512',
  'hmac-sha1',
  'hmac-md5',
] as const

const settings = defineSettings({
  dns: z.object({
    server: z
      .string()
      .regex(/^dns:\/\/([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i, 'must be dns://HOST or dns://HOST:PORT')
      .describe('Primary server of the zone, as dns://HOST or dns://HOST:PORT.'),
    zone: name()
      .max(100, 'must have at most 100 characters, so that the blocked names fit before it')
      .describe('Response policy zone. It belongs to the connector alone, with every name in it.'),
    key_name: name().describe('Name of the TSIG key.'),
    key_secret: secret()
      .refine((key) => base64.test(key.reveal()), 'must be base64, as tsig-keygen writes it')
      .describe('Secret of the TSIG key, in base64.'),
    key_algorithm: z.enum(algorithms).default('hmac-sha256').describe('Algorithm of the TSIG key.'),
    ttl_s: z.int().min(0).max(86_400).default(60).describe('TTL of the records, in seconds.'),
    timeout_s: z.int().min(1).max(600).default(20).describe('How long the server may take, in seconds.'),
  }),
})

const kinds = new Set(['domain-name', 'ipv4-addr', 'ipv6-addr'])

/** Keeps a response policy zone equal to what indicators name, by dynamic updates (RFC 2136) with TSIG. */
export class DnsBlocklistConnector extends StreamConnector<typeof settings, KeyedItem> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'DNS block list',
    scope: ['indicator'],
    filter: { types: ['indicator'], minScore: 50, maxTlp: 'TLP:AMBER' },
    on: { expired: 'delete', expiryTimer: true },
    // A batch is one message: with 100 names of the greatest length, it has less than the 64 KiB that TCP allows.
    batch: { maxItems: 100, maxWaitMs: 1000 },
    // The zone is the connector's own.
    reconcile: { everyMs: 24 * 3_600_000, orphans: 'delete' },
  } satisfies ConnectorDefaults

  /** The key of an item is its name in the zone. */
  transform(entity: Entity, { logger }: EventContext): KeyedItem[] {
    const values = itemsOf(entity).items.filter(({ kind }) => kinds.has(kind))
    return values.flatMap(({ key: value }) => {
      const { name: key, reason } = rpzName(value, this.settings.dns.zone)
      if (key === undefined) logger.warn('A value cannot be blocked', { value, reason })
      return key === undefined ? [] : [{ key }]
    })
  }

  override async flush(operations: readonly FlushOperation<KeyedItem>[]): Promise<void> {
    const { zone, ttl_s: ttl } = this.settings.dns
    const lines = operations.flatMap(({ kind, context: { key } }) =>
      namesOf(key!).map((each) =>
        kind === 'delete'
          ? `update delete ${each}.${zone}. CNAME`
          : `update add ${each}.${zone}. ${ttl} CNAME .`,
      ),
    )
    await this.#update(lines, operations[0]!.context.signal)
  }

  /** Deletes a record that cannot exist. The server refuses this like any other update. */
  override check = (signal: AbortSignal) =>
    this.#update([`update delete ${this.settings.dns.zone}. CNAME`], signal)

  /** All names in the zone, by zone transfer. */
  override async list(signal: AbortSignal) {
    const { server, zone, key_name, key_secret, key_algorithm, timeout_s } = this.settings.dns
    const { host, port } = addressOf(server)
    const key = `${key_algorithm}:${key_name}:${key_secret.reveal()}`
    const query = `@${host} -p ${port} -y ${key} ${zone} AXFR +noall +answer +tries=1 +time=${timeout_s}`
    const { stdout } = await run('dig', ['-f', '-'], [query], signal)
    const records = stdout.split('\n').map((line) => line.split(/\s+/))
    const problem = /^;.*/m.exec(stdout)?.[0]
    // A whole transfer begins and ends with the SOA record (RFC 5936, 2.2).
    if (problem !== undefined || records.filter(([, , , type]) => type === 'SOA').length !== 2)
      throw new RetryableError(
        `${server} did not transfer all of ${zone} (${problem ?? 'cut off'}). Does allow-transfer name the key ${key_name}?`,
      )
    const blocked = records.filter(([, , , type, target]) => type === 'CNAME' && target === '.')
    const names = new Set(blocked.map(([each]) => each!.slice(0, -`.${zone}.`.length)))
    const keys = [...names].filter((each) => namesOf(each).every((one) => names.has(one)))
    return keys.map((key) => ({ key, isOurs: true }))
  }

  async #update(lines: readonly string[], signal: AbortSignal): Promise<void> {
    const { server, zone, key_name, key_secret, key_algorithm, timeout_s } = this.settings.dns
    const { host, port } = addressOf(server)
    const key = `key ${key_algorithm}:${key_name} ${key_secret.reveal()}`
    const input = [`server ${host} ${port}`, `zone ${zone}`, key, ...lines, 'send']
    const { code, stderr } = await run('nsupdate', ['-v', '-t', `${timeout_s}`], input, signal)
    if (code === 0) return
    const said = stderr.trim().replace(/^; /, '').replaceAll(/\n\W*/g, ', ')
    const [, why] = answers.find(([answer]) => said.includes(answer)) ?? []
    if (why === undefined && /update failed|syntax error/.test(said))
      throw new PermanentError(`${zone} cannot hold this: ${said}`)
    throw new RetryableError(`${server} did not update ${zone}. ${why ?? noAnswer} nsupdate said: ${said}`)
  }
}

/** What nsupdate says when something is wrong that is not wrong with the names; the first one that fits. */
const answers = [
  ['BADKEY', 'It has no such key: check DNS_KEY_NAME and DNS_KEY_ALGORITHM.'],
  ['BADSIG', 'The secret of the key is another one: check DNS_KEY_SECRET.'],
  ['BADTIME', 'Its clock and the one here differ by more than five minutes.'],
  ['NOTAUTH', 'It is not the primary server of this zone: check DNS_ZONE and DNS_SERVER.'],
  ['REFUSED', 'It does not let this key change the zone: check allow-update or update-policy.'],
  ['NOTIMP', 'It does not know dynamic updates: check DNS_SERVER.'],
  ['SERVFAIL', 'It cannot write the zone: its log says why.'],
  ["couldn't get address", 'Its name is unknown: check DNS_SERVER.'],
] as const
const noAnswer = 'It does not answer: check DNS_SERVER, and that TCP gets there.'

/** A domain is blocked with its subdomains. */
const namesOf = (key: string) => (key.endsWith('.rpz-ip') ? [key] : [key, `*.${key}`])

function addressOf(server: string) {
  const { hostname, port } = new URL(server)
  return { host: hostname.replaceAll(/[[\]]/g, ''), port: port || '53' }
}

/** Runs a tool with these lines as its input, because everyone on the machine can see its arguments. */
function run(tool: string, parameters: string[], lines: readonly string[], signal: AbortSignal) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve, reject) => {
    const child = execFile(tool, parameters, { signal, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      const { code } = error ?? { code: 0 }
      if (code === 'ENOENT')
        reject(new RetryableError(`${tool} is not installed. Install it: apt-get install bind9-dnsutils`))
      else if (typeof code === 'number') resolve({ code, stdout, stderr })
      else reject(error)
    })
    // A tool that ends early says why.
    child.stdin!.on('error', () => {}).end(`${lines.join('\n')}\n`)
  })
}
