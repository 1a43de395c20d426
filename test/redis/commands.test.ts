import { describe, expect, test } from 'vitest'
import { RedisStore } from '../../src/redis/redis-store.ts'
import { hasRedis, RedisServer } from '../fixtures/redis-server.ts'
import { checkedState, itWorksWithCommands } from '../store/commands.conformance.ts'

describe.skipIf(!hasRedis)('commands on a state in Redis', () => {
  itWorksWithCommands(async () => {
    const { url } = await RedisServer.forTest()
    return { url, store: (copyName) => new RedisStore({ url, copyName }) }
  })

  test('check warns of a server that may forget the state', async () => {
    const { url } = await RedisServer.forTest()
    expect((await checkedState({ CONNECTOR_STATE_URL: url })).message).toContain('appendonly yes')
  })
})
