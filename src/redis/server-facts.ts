import { type RedisConnection } from './redis-connection.ts'

/** What a Redis says about itself that decides how safe the state in it is. */
export class ServerFacts {
  readonly #facts: ReadonlyMap<string, string>

  private constructor(info: string) {
    this.#facts = new Map(
      info.split('\r\n').flatMap((line) => {
        const colon = line.indexOf(':')
        return colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const]
      }),
    )
  }

  static async read(connection: RedisConnection): Promise<ServerFacts> {
    const info = await connection.command('reading', ['INFO']).catch(() => '')
    return new ServerFacts(String(info))
  }

  /** Whether a write can wait until it is on the disk: `WAITAOF`, since Redis 7.2. */
  get canWaitForDisk(): boolean {
    const [major = 0, minor = 0] = (this.#facts.get('redis_version') ?? '').split('.').map(Number)
    return this.#isAppending === true && (major > 7 || (major === 7 && minor >= 2))
  }

  /** What an operator should know, as sentences. */
  get warnings(): readonly string[] {
    const policy = this.#facts.get('maxmemory_policy') ?? 'noeviction'
    const warnings: string[] = []
    if (this.#isAppending === false) {
      warnings.push(
        'Redis keeps the state in memory only. After it restarts, the connector starts over from the position on the ' +
          'platform, without its id map and dead letters. Set "appendonly yes" in redis.conf.',
      )
    }
    if (policy !== 'noeviction') {
      warnings.push(
        `Redis removes data when its memory is full (maxmemory-policy ${policy}), also parts of the state. Set ` +
          '"maxmemory-policy noeviction" in redis.conf.',
      )
    }
    return warnings
  }

  /** Undefined if it does not say, as some providers' servers do. */
  get #isAppending(): boolean | undefined {
    const enabled = this.#facts.get('aof_enabled')
    return enabled === undefined ? undefined : enabled === '1'
  }
}
