import { randomUUID } from 'node:crypto'
import { StateError } from '../errors/state-error.ts'
import { acquireLease } from '../store/acquire-lease.ts'
import { type StateChanges, type StateOpening, type StateOpenOptions } from '../store/state-store.ts'
import { systemClock } from '../util/clock.ts'
import { commitArguments, type RedisCommand } from './commit-arguments.ts'
import { commitKeysOf, commitScript, openScript, requestReplayScript } from './commit-script.ts'
import { DeadLetterSequence } from './dead-letter-sequence.ts'
import { RedisConnection } from './redis-connection.ts'
import { orAway } from './redis-failure.ts'
import { type RedisKeys, redisKeysOf } from './redis-keys.ts'
import { leaseLost, RedisLease } from './redis-lease.ts'
import { type HeldLease, type RedisStoreOptions } from './redis-store-options.ts'
import { ServerFacts } from './server-facts.ts'

/** Version of the data in Redis. */
const dataVersion = 1

/** Time limit of reads and writes by default, in milliseconds. */
const defaultTimeoutMs = 10_000

/** A large commit gets more time: as long as this many characters take on a slow network. */
const charactersPerMs = 1000

/** How long a durable commit may wait for the disk of the server, in milliseconds. */
const diskMs = 5000

/** A store from its opening to its closing: connections, the right to write, and the numbers of the commits. */
export class RedisTenure {
  readonly keys: RedisKeys
  /** Reads have a connection of their own: they do not wait for a large commit. */
  readonly reads: RedisConnection
  readonly #writes: RedisConnection
  readonly #forLease: RedisConnection | undefined
  readonly lease: HeldLease | undefined
  /** Undefined if the lease is somebody else's, who releases it, or none is needed. */
  readonly #ownLease: RedisLease | undefined
  readonly #options: RedisStoreOptions
  readonly #timeoutMs: number
  readonly #commitKeys: readonly string[]
  readonly #letters = new DeadLetterSequence()
  readonly #ended = new AbortController()
  #facts: ServerFacts | undefined
  /** Number of resets so far. */
  #epoch = 0
  /** Numbers of the last commit that was sent, and of the last one that was confirmed. */
  #sent = 0
  #confirmed = 0
  #isBegun = false
  #running: Promise<unknown> | undefined

  /** @param owner connector id. */
  constructor(owner: string, options: RedisStoreOptions) {
    const { url, setting, clock, leaseMs: ttlMs = 5000, copyName: name } = options
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.#timeoutMs = timeoutMs
    this.#options = options
    this.keys = redisKeysOf(owner)
    this.#commitKeys = commitKeysOf(this.keys, randomUUID())
    this.reads = new RedisConnection({ url, setting, timeoutMs })
    this.#writes = new RedisConnection({ url, setting, timeoutMs })
    if (options.lease !== undefined || (options.access ?? 'exclusive') !== 'exclusive') {
      this.lease = options.lease
    } else {
      this.#forLease = new RedisConnection({ url, setting, timeoutMs: Math.max(500, ttlMs / 2) })
      this.lease = this.#ownLease = new RedisLease({ connection: this.#forLease, name, ttlMs, clock })
    }
  }

  /** Whether it may be used. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Finds the connector's state; acquires its lease and creates what is missing if access is exclusive. */
  async begin({ signal, onWait }: StateOpenOptions): Promise<StateOpening> {
    const over = AbortSignal.any([this.#ended.signal, ...(signal === undefined ? [] : [signal])])
    const waiting = { signal: over, onWait }
    const opening =
      this.#ownLease !== undefined
        ? await this.#ownLease.wait(this.keys.leader, waiting, () => this.#prepare())
        : this.lease === undefined
          ? await this.#prepare()
          : await acquireLease(() => orAway(async () => ({ held: await this.#prepare() })), {
              ...waiting,
              clock: systemClock,
              ttlMs: this.#timeoutMs,
            })
    over.throwIfAborted()
    this.#isBegun = true
    return opening
  }

  /**
   * Makes all changes or none.
   *
   * @throws StateError `STATE_LOST` if somebody else may have written since, or the server has lost what it confirmed.
   */
  async commit(changes: StateChanges, commands?: Iterable<RedisCommand>): Promise<void> {
    while (this.#running !== undefined) await this.#running
    const running = this.#commit(changes, commands)
    this.#running = running.catch(() => {}).finally(() => (this.#running = undefined))
    await running
  }

  /** Requests replays, of all dead letters if `ids` is omitted; returns their number. */
  async requestReplay(kind: 'forced' | 'requested', ids?: readonly number[]): Promise<number> {
    if (ids?.length === 0) return 0
    const parameters = [kind, ...new Set(ids?.map(String))]
    return Number(await this.#writes.run('writing', requestReplayScript, this.#commitKeys, parameters))
  }

  /** Releases the lease and closes all connections. */
  async end(): Promise<void> {
    this.#ended.abort(new StateError('STATE_UNREADABLE', 'The state was closed while it was being opened.'))
    this.#isBegun = false
    await this.#running
    if (this.#ownLease !== undefined) {
      // If that fails, the others wait until it expires.
      if (!this.#ownLease.lost.aborted) await this.#ownLease.release().catch(() => {})
      this.#ownLease.end()
    }
    for (const connection of [this.reads, this.#writes, this.#forLease]) connection?.close()
  }

  async #commit(changes: StateChanges, commands?: Iterable<RedisCommand>): Promise<void> {
    this.lease?.lost.throwIfAborted()
    const sequenceOf = this.#letters.begin()
    const parameters = commitArguments(changes, { epoch: this.#epoch, sequenceOf, commands })
    const fence = this.lease?.fence ?? new Map<string, string>()
    const number = ++this.#sent
    const head = [number, this.#confirmed, fence.size].map(String)
    const answer = await this.#writes.run(
      'writing',
      commitScript,
      [...this.#commitKeys, ...fence.keys()],
      [...head, ...fence.values(), ...parameters],
      this.#timeoutMs + sizeOf(parameters) / charactersPerMs,
    )
    if (answer === 'late')
      throw new StateError('STATE_NOT_WRITTEN', 'A newer change was saved before this one.')
    if (answer !== 'done') throw this.#lose(answer === 'behind' ? wentBack() : leaseLost())
    this.#confirmed = number
    if (changes.forgetPositions === true) this.#epoch++
    if (changes.durable === true && this.#facts?.canWaitForDisk === true) await this.#waitForDisk()
    this.#letters.confirm()
  }

  #lose(error: StateError): StateError {
    this.lease?.lose(error)
    return error
  }

  async #waitForDisk(): Promise<void> {
    const parts = ['WAITAOF', '1', '0', String(diskMs)]
    const [synced] = (await this.#writes.command('writing', parts)) as readonly [number]
    if (synced >= 1) return
    throw new StateError(
      'STATE_NOT_WRITTEN',
      `Redis has not written the state to its disk within ${diskMs / 1000} seconds. Check the disk of the server.`,
    )
  }

  async #prepare(): Promise<StateOpening> {
    const { access = 'exclusive' } = this.#options
    this.#facts = await ServerFacts.read(this.reads)
    if (access !== 'exclusive') {
      const version = await this.reads.command('reading', ['HGET', this.keys.meta, 'version'])
      if (version === null) throw this.#missing()
      this.#requireVersion(Number(version))
      this.#epoch = Number(await this.reads.command('reading', ['HGET', this.keys.entities, '\0epoch']))
      return this.#opening(false)
    }
    const fence = this.lease?.fence ?? new Map<string, string>()
    const keys = [...this.#commitKeys, ...fence.keys()]
    const parameters = [dataVersion, fence.size].map(String)
    const answer = await this.#writes.run('reading', openScript, keys, [...parameters, ...fence.values()])
    if (answer === 'lost') throw this.#lose(leaseLost())
    const [isFresh, version, epoch] = answer as readonly [number, number, number]
    this.#requireVersion(version)
    this.#epoch = epoch
    return this.#opening(isFresh === 1)
  }

  #opening(fresh: boolean): StateOpening {
    const { warnings } = this.#facts!
    return warnings.length === 0 ? { fresh } : { fresh, warnings }
  }

  #requireVersion(version: number): void {
    if (version <= dataVersion) return
    throw new StateError(
      'STATE_UNREADABLE',
      'The state in Redis was written by a newer version of opencti-stream-connector. Use that version or a newer one.',
    )
  }

  #missing(): StateError {
    const setting = this.#options.setting ?? 'CONNECTOR_STATE_URL'
    return new StateError(
      'STATE_UNREADABLE',
      `There is no state of this connector id in Redis. Check ${setting} and CONNECTOR_ID; the connector creates ` +
        'its state when it first starts.',
    )
  }
}

function sizeOf(parts: readonly string[]): number {
  let size = 0
  for (const part of parts) size += part.length
  return size
}

function wentBack(): StateError {
  return new StateError(
    'STATE_LOST',
    'The state in Redis is older than what was saved there: Redis was restarted without its newest data, or replaced ' +
      'by a replica that lagged behind. The connector starts over from what is there.',
  )
}
