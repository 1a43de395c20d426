import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storedValues } from '../../checkpoint/stored-values.ts'
import { DeadLetters, type DeadLetterSummary } from '../../dead-letters/dead-letters.ts'
import { type ConnectorStatus } from '../../observe/connector-status.ts'
import { SqliteStore } from '../../store/sqlite-store.ts'
import { type StateStore } from '../../store/state-store.ts'
import { type Random } from '../../util/backoff.ts'
import { parsePlatformState } from '../../opencti/platform-state.ts'
import { systemClock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'
import { comparePositions, parsePosition, startOfTime, type Position } from '../../util/position.ts'
import { seededRandom } from '../builders/seeded-random.ts'
import { connectorCapabilities } from '../live/access.ts'
import { Simulator } from '../simulator.ts'
import { type AcceptanceOptions } from './acceptance-options.ts'
import { AcceptanceFailure } from './acceptance-failure.ts'
import { ConnectorProcess } from './connector-process.ts'
import { lettersText, saidBy, whyNot } from './connector-words.ts'
import { Contents, type Difference } from './contents.ts'
import { describeDifferences } from './describe-difference.ts'
import { type EntityKind } from './entity-kind.ts'
import { PlatformHistory, type HistoryOptions } from './platform-history.ts'
import { addressSettings, given, hurry, inheritedEnvironment } from './stage-environment.ts'
import { startTargetProxy, type TargetProxy } from './target-proxy.ts'

const lookEveryMs = 20
const defaultPatienceMs = 30_000

/** Who has passed the first has passed everything before. */
const sentinelEvents = 2

/** A platform, a connector that is started and killed, and a proxy before the target: all for one test. */
export class AcceptanceStage implements AsyncDisposable {
  readonly simulator: Simulator
  readonly proxy: TargetProxy | undefined
  readonly random: Random
  history: PlatformHistory
  readonly #options: AcceptanceOptions
  readonly #environment: Readonly<Record<string, string>>
  readonly #folder: string
  #connectorId: string
  #process: ConnectorProcess | undefined
  #sentinel = startOfTime
  #sentinels = 0

  private constructor(parts: StageParts) {
    this.simulator = parts.simulator
    this.proxy = parts.proxy
    this.random = parts.random
    this.#options = parts.options
    this.#environment = parts.environment
    this.#folder = parts.folder
    this.#connectorId = parts.simulator.connectorId
    this.history = new PlatformHistory(this.simulator, this.random, [])
  }

  /** Empties the target and builds what is around the connector. The platform has no entities yet. */
  static async open(options: AcceptanceOptions, seed: number): Promise<AcceptanceStage> {
    const address = await given(options.target.address)
    const own = await given(options.env)
    const proxy = address === undefined ? undefined : await startTargetProxy(address.url)
    const folder = await mkdtemp(join(tmpdir(), 'opencti-accept-'))
    const simulator = await Simulator.start({
      heartbeatMs: 50,
      idleReadMs: 50,
      seed,
      capabilities: [...connectorCapabilities, 'KNOWLEDGE_KNUPDATE'],
    })
    const stage = new AcceptanceStage({
      options,
      simulator,
      proxy,
      folder,
      random: seededRandom(seed),
      environment: {
        ...inheritedEnvironment(),
        ...simulator.environment(),
        ...hurry,
        ...own,
        ...(address !== undefined && proxy !== undefined && addressSettings(address, proxy.address)),
      },
    })
    await options.target.reset()
    return stage
  }

  /** Number of entities at the start. */
  get size(): number {
    return this.#options.size ?? 40
  }

  get kills(): number {
    return this.#options.kills ?? 4
  }

  get patienceMs(): number {
    return this.#options.patienceMs ?? defaultPatienceMs
  }

  /** Fills the platform with what is older than its stream. @param isWithin whether the connector's filter takes it all. */
  fill(kinds: readonly EntityKind[], perKind: number, history: HistoryOptions, isWithin = false): void {
    this.history = new PlatformHistory(this.simulator, this.random, kinds, history)
    this.history.load(perKind, isWithin)
  }

  /** Starts the connector, which resumes where it stopped. */
  start(): ConnectorProcess {
    this.#process = new ConnectorProcess(
      this.#options.connector,
      {
        ...this.#environment,
        CONNECTOR_ID: this.#connectorId,
        CONNECTOR_STATE_DIR: this.#stateFolder,
      },
      this.#folder,
    )
    return this.#process
  }

  /** Kills the connector, at whatever it is doing. @throws AcceptanceFailure if it has ended by itself. */
  async kill(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    const code = await running?.end('SIGKILL')
    if (typeof code === 'number') throw endedByItself(running!)
  }

  /** Stops the connector as a container does. @throws AcceptanceFailure if it does not end well. */
  async stop(): Promise<void> {
    const running = this.#process
    if (running === undefined) return
    // Before that, nobody listens to signals.
    await running.description
    this.#process = undefined
    const code = await running.end('SIGTERM')
    if (code !== 0)
      throw new AcceptanceFailure(
        `The connector ended with ${code === null ? 'a signal' : `exit code ${code}`} when it was stopped.${saidBy(running)}`,
      )
  }

  /** Loses the state folder. */
  async loseState(): Promise<void> {
    await rm(this.#stateFolder, { recursive: true, force: true })
  }

  /** The status of the running connector; undefined until it is constructed. @throws AcceptanceFailure if it has ended by itself. */
  async status(): Promise<ConnectorStatus | undefined> {
    const running = this.#process
    if (running === undefined) throw new Error('The connector is not running.')
    const status = await running.status()
    if (running.hasEnded) throw endedByItself(running)
    return status
  }

  /**
   * Waits until the connector has finished everything that has happened at the platform.
   *
   * @throws AcceptanceFailure if that takes too long.
   */
  settle(): Promise<void> {
    this.#sentinel = this.#publishSentinel()
    return this.#settleUntil(this.#sentinel)
  }

  async #settleUntil(sentinel: Position): Promise<void> {
    let last: ConnectorStatus | undefined
    await this.until(
      async () => {
        last = await this.status()
        if (last === undefined || last.catchingUp || last.inFlight > 0) return false
        return (
          comparePositions(parsePosition(last.position)!, sentinel) >= 0 && (await this.#isAtRest(sentinel))
        )
      },
      () => `The connector has finished nothing for ${this.patienceMs / 1000} s: ${whyNot(last)}.`,
      () => last && last.delivered + last.skipped + last.deadLettered,
    )
  }

  /**
   * Polls until `look` answers true.
   *
   * @param progress what shows that there is hope: as long as it changes, patience begins anew.
   * @throws AcceptanceFailure with the text of `otherwise` when patience is over.
   */
  async until(
    look: () => boolean | Promise<boolean>,
    otherwise: () => string,
    progress: () => unknown = () => undefined,
  ): Promise<void> {
    let untilMs = systemClock.monotonic() + this.patienceMs
    let before = progress()
    while (!(await look())) {
      const now = progress()
      if (now !== before) untilMs = systemClock.monotonic() + this.patienceMs
      before = now
      if (systemClock.monotonic() > untilMs)
        throw new AcceptanceFailure(otherwise() + (this.#process === undefined ? '' : saidBy(this.#process)))
      await delay(systemClock, lookEveryMs)
    }
  }

  /** What the target holds, once that stays the same. */
  async read(): Promise<Contents> {
    let before = new Contents(await this.#options.target.read())
    const untilMs = systemClock.monotonic() + this.patienceMs
    for (;;) {
      await delay(systemClock, 100)
      const contents = new Contents(await this.#options.target.read())
      if (contents.equals(before)) return contents
      if (systemClock.monotonic() > untilMs)
        throw new AcceptanceFailure(
          'The target never came to rest: read() kept returning something else. Leave out what changes by itself.',
        )
      before = contents
    }
  }

  /** What was written to the target, key by key; undefined if it cannot tell. */
  async writes(): Promise<readonly (readonly [string, unknown])[] | undefined> {
    const writes = await this.#options.target.history?.()
    return writes === undefined ? undefined : [...writes]
  }

  /**
   * Compares the target with what a new connector makes of the same platform in a calm run into the empty target.
   *
   * @param isKeysOnly whether contents do not count.
   * @throws AcceptanceFailure with the first difference.
   */
  async expectAsPlatform(isKeysOnly = false): Promise<void> {
    await this.settle()
    const found = await this.read()
    const letters = await this.deadLetters()
    const wanted = await this.reference()
    if (wanted.size === 0)
      throw new AcceptanceFailure(
        'The calm run left the target empty, so this test would prove nothing. Does read() read what the connector writes?',
      )
    const differences = found
      .differencesFrom(wanted)
      .filter(({ kind }) => !(isKeysOnly && kind === 'different'))
    if (differences.length === 0) return
    throw new AcceptanceFailure(
      describeDifferences(differences, (difference) => this.#biography(difference)) + lettersText(letters),
    )
  }

  /**
   * What the target holds after a calm run of a new connector on the platform as it is. The target is emptied first, and the
   * platform forgets its events: who sees again how an entity was taken away makes the same mistake again.
   */
  async reference(): Promise<Contents> {
    await this.stop()
    if (this.proxy !== undefined) {
      this.proxy.trouble = undefined
      await this.proxy.comeBack()
    }
    await this.loseState()
    await this.#options.target.reset()
    this.simulator.faults.trimHistory(sentinelEvents)
    this.#connectorId = randomUUID()
    this.start()
    // Nothing may change any more at the platform.
    await this.#settleUntil(this.#sentinel)
    const contents = await this.read()
    const letters = await this.deadLetters()
    if (letters.length > 0)
      throw new AcceptanceFailure(`In a calm run, the connector made dead letters.${lettersText(letters)}`)
    await this.stop()
    return contents
  }

  /** The dead letters of the connector, oldest first. */
  async deadLetters(): Promise<readonly DeadLetterSummary[]> {
    const letters = await this.withStore('read-only', (store) => store.deadLetters({ limit: 1000 }))
    return letters ?? []
  }

  /** Asks for all dead letters to be tried again, and waits until they have been. */
  async replay(): Promise<void> {
    const asked = await this.withStore('shared', (store) => new DeadLetters(store).requestReplay('all'))
    // The state is elsewhere.
    if (asked === undefined) return
    await this.until(
      async () => {
        const waiting = await this.withStore('read-only', (store) =>
          store.deadLetters({ limit: 1, onlyReplay: true }),
        )
        return waiting?.length === 0
      },
      () => 'The connector did not try its dead letters again.',
    )
  }

  /** Does something with the state of the connector, even while it runs; undefined if it is elsewhere. */
  async withStore<T>(
    access: 'read-only' | 'shared',
    work: (store: StateStore) => Promise<T>,
  ): Promise<T | undefined> {
    const store = new SqliteStore({
      directory: this.#stateFolder,
      connectorId: this.#connectorId,
      access,
    })
    try {
      await store.open(this.#connectorId)
    } catch {
      return undefined
    }
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.end('SIGKILL')
    await this.proxy?.[Symbol.asyncDispose]()
    await this.simulator.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #stateFolder(): string {
    return join(this.#folder, 'state')
  }

  #publishSentinel(): Position {
    const [first] = Array.from({ length: sentinelEvents }, () => {
      this.history.touch(`Sentinel ${++this.#sentinels}`)
      return parsePosition(this.simulator.lastEventId)!
    })
    return first!
  }

  /**
   * Whether everything up to the sentinel is in the state, dead letters too, and nothing is left that no event brings: no indicator to
   * be withdrawn because it has expired, no claims to be known again.
   */
  async #isAtRest(sentinel: Position): Promise<boolean> {
    const nowMs = systemClock.now()
    if (nowMs < this.history.expiresMs) return false
    const isAtRest = await this.withStore('read-only', async (store) => {
      const saved = parsePlatformState(await store.value(storedValues.state))?.startFrom
      if (saved === undefined || comparePositions(saved, sentinel) < 0) return false
      const expiring = await store.expiring({ atMs: nowMs, limit: 1 })
      return expiring.length === 0 && (await store.value(storedValues.rebuild)) === undefined
    })
    // Undefined: the state is elsewhere.
    return isAtRest !== false
  }

  #biography({ key, wanted, found }: Difference): string | undefined {
    const texts = [key, JSON.stringify(wanted ?? ''), JSON.stringify(found ?? '')]
    for (const text of texts) {
      const entity = this.history.entities.find(({ id, last }) => text.includes(id) || text.includes(last.id))
      if (entity !== undefined) return this.history.biography(entity)
    }
    const naming = this.history.entities.filter(({ last }) => JSON.stringify(last).includes(key))
    return naming.length === 0
      ? undefined
      : naming
          .map((entity) => this.history.biography(entity))
          .slice(0, 3)
          .join('\n  ')
  }
}

function endedByItself(running: ConnectorProcess): AcceptanceFailure {
  return new AcceptanceFailure(`The connector ended by itself.${saidBy(running) || ' It said nothing.'}`)
}

interface StageParts {
  readonly options: AcceptanceOptions
  readonly simulator: Simulator
  readonly proxy: TargetProxy | undefined
  readonly random: Random
  readonly environment: Readonly<Record<string, string>>
  readonly folder: string
}
