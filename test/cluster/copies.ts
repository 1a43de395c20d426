import { onTestFinished } from 'vitest'
import { ClusterKeys } from '../../src/cluster/cluster-keys.ts'
import { Membership } from '../../src/cluster/membership.ts'
import { RedisConnection } from '../../src/redis/redis-connection.ts'
import { systemClock, type Clock } from '../../src/util/clock.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { RedisServer } from '../fixtures/redis-server.ts'

/** Copies of one connector on a real Redis. Their heartbeats are sent by the test. */
export class Copies {
  readonly keys = new ClusterKeys('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
  readonly server: RedisServer
  readonly partitions: number

  private constructor(server: RedisServer, partitions: number) {
    this.server = server
    this.partitions = partitions
  }

  static async start(partitions = 4): Promise<Copies> {
    return new Copies(await RedisServer.forTest(), partitions)
  }

  async connection(): Promise<RedisConnection> {
    const connection = new RedisConnection({ url: this.server.url })
    onTestFinished(() => connection.close())
    await connection.connected()
    return connection
  }

  /** A copy that has joined, and works from its next heartbeat on. @param former of the same process. */
  async join(
    name: string,
    clock: Clock = systemClock,
    partitions = this.partitions,
    former?: Membership,
  ): Promise<Membership> {
    const copy = new Membership({
      connection: await this.connection(),
      keys: this.keys,
      name,
      partitions,
      leaseMs: 60_000,
      cautiousUntilMs: former?.cautiousUntilMs ?? Number.NEGATIVE_INFINITY,
      clock,
      logger: silentLogger,
      report: () => `report of ${name}`,
    })
    await copy.join()
    copy.work()
    copy.stand()
    return copy
  }

  /** Number of unfinished entries in all partitions. */
  async entryCount(): Promise<number> {
    let count = 0
    for (let partition = 0; partition < this.partitions; partition++)
      count += (await this.server.command('XLEN', this.keys.entries(partition))) as number
    return count
  }

  /** The leases and the heartbeats of a copy that is not heard of anymore run out. */
  async forget(copy: Membership, name: string): Promise<void> {
    const owners = [...copy.partitions].map(({ key }) => key)
    if (copy.leading !== undefined) owners.push(copy.leading.key)
    if (owners.length > 0) await this.server.command('DEL', ...owners)
    await this.server.command('ZADD', this.keys.copies, '0', name)
  }
}

/** Numbers of the partitions of a copy. */
export function ownedBy(copy: Membership): number[] {
  return [...copy.partitions].map(({ partition }) => partition)
}
