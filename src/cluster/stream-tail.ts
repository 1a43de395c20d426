import { type RedisConnection } from '../redis/redis-connection.ts'

/** An entry of a Redis stream: its id, and its fields and values in turn. */
export type RedisEntry = readonly [id: string, fields: readonly string[]]

/** More than any answer takes that is not waited for, in milliseconds. */
const answerMs = 10_000

/** Waits for new entries of Redis streams, on a connection that does nothing else. */
export class StreamTail {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * Entries of streams after the given ids, by stream. Waits up to `waitMs` for the first one.
   *
   * @param limits.count maximum number of entries per stream.
   * @throws StateError if Redis does not answer.
   */
  async read(
    after: ReadonlyMap<string, string>,
    { count, waitMs }: { readonly count: number; readonly waitMs: number },
  ): Promise<ReadonlyMap<string, readonly RedisEntry[]>> {
    const limits = ['COUNT', String(count), 'BLOCK', String(waitMs)]
    const answer = await this.#connection.command(
      'reading',
      ['XREAD', ...limits, 'STREAMS', ...after.keys(), ...after.values()],
      waitMs + answerMs,
    )
    return new Map((answer ?? []) as readonly (readonly [string, readonly RedisEntry[]])[])
  }

  close(): void {
    this.#connection.close()
  }
}
