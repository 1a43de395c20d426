import { StateError } from '../errors/state-error.ts'
import { type StateExamination } from '../store/state-store.ts'
import { parseRedisAddress } from './redis-address.ts'
import { RedisConnection } from './redis-connection.ts'
import { ServerFacts } from './server-facts.ts'
import { redisKeysOf } from './redis-keys.ts'
import { nameOfHolder } from './redis-lease.ts'

const timeoutMs = 10_000

/** Looks at a connector's state without changing anything. */
export async function examineRedis(url: string, setting: string, owner: string): Promise<StateExamination> {
  const { host, port, database } = parseRedisAddress(url, setting)
  const connection = new RedisConnection({ url, setting, timeoutMs })
  const { meta, leader, letters } = redisKeysOf(owner)
  try {
    const version = await connection.command('reading', ['HGET', meta, 'version'])
    const holder = (await connection.command('reading', ['GET', leader])) as string | null
    return {
      place: `${host}:${port}/${database}`,
      exists: version !== null,
      leader: holder === null ? undefined : nameOfHolder(holder),
      missingRight: await missingRight(connection, leader),
      warnings: (await ServerFacts.read(connection)).warnings,
      deadLetters: Number(await connection.command('reading', ['ZCARD', letters])),
    }
  } finally {
    connection.close()
  }
}

/** An effect on a key that is not there changes nothing, but needs the right to write. */
async function missingRight(connection: RedisConnection, key: string): Promise<string | undefined> {
  try {
    await connection.command('writing', ['HDEL', `${key}:none`, 'none'])
    return undefined
  } catch (error) {
    if (error instanceof StateError && /NOPERM/.test(String((error.cause as Error | undefined)?.message)))
      return 'all commands on the keys that begin with {opencti-stream:'
    throw error
  }
}
