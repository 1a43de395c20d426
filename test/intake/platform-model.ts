import { type Ledger } from '../../src/checkpoint/ledger.ts'
import { StreamReader } from '../../src/intake/stream-reader.ts'
import { parsePlatformState, type PlatformState } from '../../src/opencti/platform-state.ts'
import { Beginning } from '../../src/session/beginning.ts'
import { Progress, type StartKind } from '../../src/session/progress.ts'
import { storedValues } from '../../src/checkpoint/stored-values.ts'
import {
  comparePositions,
  formatPosition,
  parsePosition,
  startOfTime,
  type Position,
} from '../../src/util/position.ts'
import { type StreamMessage } from '../../src/stream/stream-message.ts'
import { type Clock } from '../../src/util/clock.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { readerSettings } from './reader-settings.ts'

/** One change of one entity, as the database numbers it. */
interface Change {
  readonly id: Position
  readonly entity: number
  readonly version: number
  readonly isDelete: boolean
  readonly frames: number
  /** `updated_at`, by the clock of the web server. */
  readonly changedMs: number
}

/** What a frame tells, in place of an entity. */
interface Told {
  readonly entity: number
  readonly version: number
  readonly isDelete: boolean
  readonly isDependency: boolean
}

/** What the connector has received and not finished. */
interface Receipt {
  readonly settle: () => void
  readonly told: Told
}

const ignore = () => {}

const epochMs = 1_700_000_000_000
const minuteMs = 60_000

/**
 * A platform with three clocks, a connector that reads it with the real reader, ledger and state, and a target, driven step by step:
 * the platform follows graphql/sseMiddleware.js of OpenCTI as far as frames, ids and heartbeats are concerned.
 */
export class PlatformModel {
  /** Time as it is; each clock shows it with an offset of its own. */
  #nowMs = epochMs
  readonly offsets: { web: number; database: number; connector: number }
  readonly #pageSize: number
  readonly #changes: Change[] = []
  /** What exists. */
  readonly #entities = new Map<number, Change>()
  readonly #lastVersions = new Map<number, number>()
  #trimmed = 0
  #lastId = startOfTime

  #progress = new Progress()
  #reader: StreamReader
  #receipts: Receipt[] = []
  /** What survives a kill. */
  #saved: ReadonlyMap<string, string | undefined>
  /** The newest version of each entity that the target has taken; a delete is one too. */
  readonly #target = new Map<number, number>()
  gaps = 0
  caughtUp = 0
  /** Objects that catch-ups have sent. */
  objectsSent = 0
  /** Who else is told of a restart, a cut, and a finished piece. */
  #wantsConnection = true

  #connection: Connection | undefined
  #isRead = false

  /** @param ageMs how old the stream is when the connector starts for the first time. */
  constructor(
    offsets: { web: number; database: number; connector: number },
    pageSize: number,
    ageMs = 2 * minuteMs,
  ) {
    this.offsets = { ...offsets }
    this.#pageSize = pageSize
    this.write(0, 1, false)
    this.advance(ageMs)
    this.#reader = this.#start(this.#beginning.first(undefined), 'first')
    this.#saved = this.#progress.values()
  }

  get #ledger(): Ledger {
    return this.#progress.ledger
  }

  get #beginning(): Beginning {
    return new Beginning({
      platform: this,
      settings: readerSettings(),
      clock: this.#clock,
      logger: silentLogger,
      onNotice: ignore,
    })
  }

  get #clock(): Clock {
    return { now: () => this.connectorMs, monotonic: () => this.#nowMs, schedule: () => ignore }
  }

  /** As the web server tells it. */
  get nowMs(): number {
    return this.webMs
  }

  get webMs(): number {
    return this.#nowMs + this.offsets.web
  }

  get databaseMs(): number {
    return this.#nowMs + this.offsets.database
  }

  get connectorMs(): number {
    return this.#nowMs + this.offsets.connector
  }

  advance(ms: number): void {
    this.#nowMs += ms
  }

  write(entity: number, frames: number, isDelete: boolean): void {
    if (isDelete && !this.#entities.has(entity)) return
    const ms = Math.max(this.databaseMs, this.#lastId.ms)
    this.#lastId = { ms, seq: ms === this.#lastId.ms ? this.#lastId.seq + 1 : 0 }
    const version = (this.#lastVersions.get(entity) ?? 0) + 1
    this.#lastVersions.set(entity, version)
    const change = { id: this.#lastId, entity, version, isDelete, frames, changedMs: this.webMs }
    this.#changes.push(change)
    if (isDelete) this.#entities.delete(entity)
    else this.#entities.set(entity, change)
  }

  /**
   * The database drops all but the newest `keep` events, but none that an open connection is about to read: of that the
   * platform itself says nothing.
   */
  trim(keep: number): void {
    const connection = this.#connection
    const isReading = connection !== undefined && connection.catchUp === undefined
    const next = isReading
      ? this.#changes.findIndex(({ id }) => comparePositions(id, connection.live) > 0)
      : -1
    const least = next < 0 ? this.#changes.length : next
    this.#trimmed = Math.max(this.#trimmed, Math.min(least, this.#changes.length - Math.max(1, keep)))
  }

  /** The platform sends one frame, if it has one. Answers whether it did. */
  send(shuffle: number): boolean {
    const connection = this.#connected()
    if (connection.plan.length === 0) this.#fill(connection, shuffle)
    const next = connection.plan.shift()
    if (next === undefined) return false
    if (next.isObject) this.objectsSent++
    connection.lastId = next.id
    this.#deliver({
      event: next.told.isDelete ? 'delete' : 'create',
      id: formatPosition(next.id),
      data: next.data,
    })
    return true
  }

  /** The timer of the platform: the id of the last frame, or a made-up one when a read brings nothing. */
  heartbeat(shuffle: number): void {
    const connection = this.#connected()
    if (connection.plan.length === 0) this.#fill(connection, shuffle)
    const isIdle = connection.plan.length === 0
    if (isIdle) connection.lastId = { ms: this.webMs, seq: 0 }
    this.#deliver({ event: 'heartbeat', id: formatPosition(connection.lastId), data: '""' })
  }

  /** The connection breaks. */
  cut(): void {
    this.#connection = undefined
  }

  /** The target takes something that is in flight, and what is safe then is saved. */
  settle(choice: number): void {
    const [receipt] = this.#receipts.splice(choice % Math.max(1, this.#receipts.length), 1)
    if (receipt === undefined) return
    const { entity, version } = receipt.told
    this.#target.set(entity, Math.max(version, this.#target.get(entity) ?? 0))
    receipt.settle()
    if (this.#wantsConnection) this.#connection = undefined
    this.save()
  }

  /** What a commit writes. */
  save(): void {
    this.#saved = this.#progress.values()
  }

  /** The connector is killed: all that is in memory is gone. */
  kill(): void {
    this.#receipts = []
    this.#connection = undefined
    const state = parsePlatformState(this.#saved.get(storedValues.state))!
    this.#progress = new Progress()
    this.#progress.knowCatchUp(this.#saved.get(storedValues.catchUp))
    this.#reader = this.#start(this.#beginning.endingByNow(state), 'resumed')
  }

  /** Everything is sent and taken, and the stream is quiet. */
  finish(): void {
    for (let turn = 0; turn < 400; turn++) {
      while (this.send(turn)) this.#settleAll()
      this.advance(5000)
      this.heartbeat(turn)
      this.#settleAll()
      const { resume, catchingUp } = this.#ledger
      if (!catchingUp && comparePositions(resume, this.#lastId) >= 0 && this.#isRead) return
    }
    throw new Error(
      `the end never comes: ${JSON.stringify(this.#ledger.resume)}, the newest is ${JSON.stringify(this.#lastId)}`,
    )
  }

  /** Entities that differ between platform and target. A delete may be missing where a gap was told. */
  missing(): string[] {
    return [...this.#lastVersions].flatMap(([entity, version]) => {
      const taken = this.#target.get(entity) ?? 0
      if (taken === version || (!this.#entities.has(entity) && this.gaps > 0)) return []
      // What was created and deleted before the start never came.
      if (!this.#entities.has(entity) && taken === 0) return []
      return [`entity ${entity}: version ${version}, the target has ${taken}`]
    })
  }

  /** The saved position may not lie beyond the newest event. */
  check(): void {
    const { startFrom, recoverUntil } = parsePlatformState(this.#saved.get(storedValues.state))!
    const isCatchUp = typeof recoverUntil === 'string' && Date.parse(recoverUntil) > startFrom!.ms
    if (!isCatchUp && comparePositions(startFrom!, this.#lastId) > 0)
      throw new Error(`the position ${formatPosition(startFrom!)} lies in the future`)
  }

  #settleAll(): void {
    while (this.#receipts.length > 0) this.settle(0)
    this.save()
    this.check()
  }

  #start(state: PlatformState, startKind: StartKind): StreamReader {
    const progress = this.#progress
    progress.begin(state, startKind)
    this.#wantsConnection = true
    return new StreamReader({
      ledger: progress.ledger,
      pipeline: {
        accept: (message, receipts) => {
          const position = parsePosition(message.id!)
          const told = (JSON.parse(message.data as string) as { data: Told }).data
          const member = `${told.isDependency}:${told.entity}:${told.version}`
          const ticket = receipts!.receive(position, member, !told.isDependency)
          if (ticket !== undefined) this.#receipts.push({ settle: () => receipts!.settle(ticket), told })
          return position
        },
      },
      settings: readerSettings(),
      clock: this.#clock,
      platform: this,
      keeper: progress,
      startKind,
      room: { room: () => undefined },
      handler: {
        onReconnect: () => {
          this.#wantsConnection = true
        },
        onGap: ({ sinceMs, untilMs }) => {
          this.gaps++
          progress.repairGap(sinceMs, untilMs)
          this.#wantsConnection = true
          return true
        },
        onCaughtUp: () => this.caughtUp++,
      },
    })
  }

  /** The present connection; one that the reader gives up at once is followed by another. */
  #connected(): Connection {
    for (let turn = 0; this.#connection === undefined && turn < 10; turn++) this.#connect()
    if (this.#connection === undefined) throw new Error('each connection is given up at once')
    return this.#connection
  }

  #connect(): void {
    this.#wantsConnection = false
    const query = this.#reader.query()
    const from = parsePosition(query['from']!)!
    const recoverMs = query['recover'] === undefined ? undefined : Date.parse(query['recover'])
    const isCatchUp = recoverMs !== undefined && recoverMs > from.ms
    this.#isRead = false
    this.#connection = {
      plan: [],
      lastId: from,
      catchUp: isCatchUp ? { afterMs: from.ms - 1, afterEntity: Infinity, untilMs: recoverMs } : undefined,
      live: isCatchUp ? { ms: recoverMs, seq: 0 } : from,
    }
    const held = this.#changes.slice(this.#trimmed)
    this.#deliver({
      event: 'connected',
      id: undefined,
      data: JSON.stringify({
        firstEventId: formatPosition(held[0]!.id),
        lastEventId: formatPosition(held.at(-1)!.id),
      }),
    })
  }

  #deliver(message: { event: string; id: string | undefined; data: string }): void {
    this.#reader.onMessages([{ ...message, bytes: message.data.length } satisfies StreamMessage])
    if (this.#wantsConnection) this.#connection = undefined
  }

  /** The next page of a catch-up, or the next event. */
  #fill(connection: Connection, shuffle: number): void {
    const { catchUp } = connection
    if (catchUp === undefined) {
      this.#fillLive(connection)
      return
    }
    const page = [...this.#entities.values()]
      .filter(({ changedMs, entity }) => {
        const isAfter =
          changedMs > catchUp.afterMs || (changedMs === catchUp.afterMs && entity > catchUp.afterEntity)
        return isAfter && changedMs <= catchUp.untilMs
      })
      .toSorted((one, other) => one.changedMs - other.changedMs || one.entity - other.entity)
      .slice(0, this.#pageSize)
    const last = page.at(-1)
    if (last === undefined) {
      connection.catchUp = undefined
      this.#fillLive(connection)
      return
    }
    connection.catchUp = { ...catchUp, afterMs: last.changedMs, afterEntity: last.entity }
    for (let left = page.length; left > 0; left--) {
      const [change] = page.splice((shuffle * 7919 + left) % left, 1)
      const id = { ms: change!.changedMs, seq: 0 }
      connection.plan.push(frameOf(change!, id, false, { referer: 'init-create' }))
    }
  }

  #fillLive(connection: Connection): void {
    const index = this.#changes.findIndex(
      ({ id }, at) => at >= this.#trimmed && comparePositions(id, connection.live) > 0,
    )
    this.#isRead = index < 0
    const change = this.#changes[index]
    if (change === undefined) return
    connection.live = change.id
    // The dependencies of an event show nothing of the entity: another one, which never changes.
    for (let frame = 1; frame < change.frames; frame++)
      connection.plan.push(
        frameOf({ ...change, entity: -frame, version: 1, isDelete: false }, change.id, true, {
          referer: 'init-dependencies',
        }),
      )
    connection.plan.push(frameOf(change, change.id, false, undefined))
  }
}

interface PlannedFrame {
  readonly id: Position
  readonly told: Told
  readonly data: string
  readonly isObject: boolean
}

/** What the server knows of a connection. */
interface Connection {
  plan: PlannedFrame[]
  lastId: Position
  catchUp: { readonly afterMs: number; readonly afterEntity: number; readonly untilMs: number } | undefined
  live: Position
}

function frameOf(change: Change, id: Position, isDependency: boolean, origin: unknown): PlannedFrame {
  const { entity, version, isDelete, changedMs } = change
  const told = { entity, version, isDelete, isDependency }
  const data = { ...told, updated_at: new Date(changedMs).toISOString() }
  const isObject = !isDependency && origin !== undefined
  const envelope = origin === undefined ? { type: 'update', origin: {}, data } : { origin, data }
  return { id, told, data: JSON.stringify(envelope), isObject }
}
