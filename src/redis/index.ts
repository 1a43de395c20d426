// State in Redis

export { RedisStore } from './redis-store.ts'
export { type HeldLease, type RedisStoreOptions } from './redis-store-options.ts'
export { type RedisCommand } from './commit-arguments.ts'

// Connections to Redis, and leases in it

export { RedisConnection, type RedisConnectionOptions } from './redis-connection.ts'
export { type RedisTask } from './redis-failure.ts'
export { RedisLease, type RedisLeaseOptions } from './redis-lease.ts'
export { redisKeyTag } from './redis-keys.ts'
export { RedisScript } from './redis-script.ts'
