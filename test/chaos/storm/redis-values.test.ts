import { describe } from 'vitest'
import { hasRedis } from '../../fixtures/redis-server.ts'
import { redisState } from './storm-state.ts'
import { testStorm } from './storm.ts'

describe.skipIf(!hasRedis)('Redis', () =>
  testStorm('values', {
    name: 'Redis that is killed and frozen',
    make: (_, connectorId) => redisState(connectorId),
  }),
)
