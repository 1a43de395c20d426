// Connections to Redis, and leases in it

export { RedisConnection, type RedisConnectionOptions } from './redis-connection.ts'
export { type RedisTask } from './redis-failure.ts'
export { RedisLease, type RedisLeaseOptions } from './redis-lease.ts'
export { RedisScript } from './redis-script.ts'
