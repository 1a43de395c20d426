import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { seededRandom, Simulator } from 'opencti-stream-connector/testing'
import { ChildLife } from '../../fixtures/child-life.ts'
import { until } from '../../fixtures/until.ts'
import { scaled } from '../scale.ts'
import { JournalAudit } from './journal-audit.ts'
import { disturbStream, noDisturbances } from './disturb-stream.ts'
import { fileState, type StormState } from './storm-state.ts'
import { checkSequences } from './sequences.ts'
import { printOf, StormTarget } from './target.ts'
import { claimedValues, versionsOf, wholeEntities } from './versions.ts'
import { StormWriter } from '../../fixtures/writer.ts'

/**
 * What is stormed: a connector that is called for each event or in batches; one whose target holds
 * values that several entities share; one that catches up, on a platform that is older than its stream, and lets newer states replace those that wait.
 */
export type StormKind = 'single' | 'flush' | 'values' | 'catch-up'

/** Number of objects on the platform before its stream begins, for a connector that catches up. */
const olderCount = scaled(300, 2000)
/** Few, so that each changes from time to time. */
const authorCount = 8
/** One in this many kills is followed by the loss of the state, and another one by a reset. */
const anewEvery = scaled(5, 10)

const promise = (kind: StormKind) =>
  kind === 'values'
    ? 'each value at the target says by which entities it is claimed, none is missing, none is left over'
    : "each record at the target has gone through the platform's versions in order, none is missing"

/** What keeps the state. */
export interface StormPlace {
  /** For the title. @default none */
  readonly name?: string | undefined
  readonly make: (folder: string, connectorId: string) => StormState | Promise<StormState>
}

/** Declares the test for one kind of connector. Each kind has a file of its own, so that they run side by side. */
export function testStorm(kind: StormKind, place: StormPlace = { make: fileState }): void {
  // On a server, the next life waits for the lease of the one that was killed. Those storms have a script of their own, with more time.
  const isFile = place.name === undefined
  const killCount = scaled(isFile ? 5 : 3, isFile ? 80 : 200, 'STORM_KILLS')
  const eventCount = scaled(isFile ? 500 : 300, 8000, 'STORM_EVENTS')
  const what = place.name === undefined ? kind : `${kind} with ${place.name}`
  test(
    `after ${killCount} kills in ${eventCount} events, ${what}, ${promise(kind)}, and only unsaved work was repeated`,
    { timeout: 200_000 + killCount * 10_000 },
    async ({ annotate }) => {
      const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000)
      const hint = `run again with STORM_SEED=${seed}`
      await annotate(hint)
      const random = seededRandom(seed)
      const catchesUp = kind === 'catch-up'
      const folder = await mkdtemp(join(tmpdir(), 'storm-'))
      const simulator = await Simulator.start({ heartbeatMs: 50, idleReadMs: 50, retention: eventCount * 2 })
      const { connectorId } = simulator
      const target = await StormTarget.start(random)
      const state = await place.make(folder, connectorId)
      const audit = new JournalAudit(target, state)
      const writer = new StormWriter(simulator, random, authorCount)
      const older = catchesUp ? writer.load(olderCount) : []
      const newestAtOpening = new Map<number, string>()
      simulator.onRequest((request) => {
        const opens = request.kind === 'stream' && request.query['from'] !== undefined
        if (opens && !newestAtOpening.has(target.life))
          newestAtOpening.set(target.life, simulator.lastEventId)
      })
      const load = (life: number) =>
        new ChildLife(new URL('./child.ts', import.meta.url), {
          ...simulator.environment(),
          ...state.environment,
          ...(catchesUp ? {} : { CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none' }),
          STORM_TARGET: target.url,
          STORM_KIND: kind,
          STORM_LIFE: String(life),
          // Compiles the files once for hundreds of starts.
          NODE_COMPILE_CACHE: join(tmpdir(), 'storm-compiled'),
        })
      let running = load(0)
      let next = load(1)
      onTestFinished(async () => {
        for (const { process: each } of [running, next]) each.kill('SIGKILL')
        await target.close()
        await simulator.close()
        await state[Symbol.asyncDispose]()
        await rm(folder, { recursive: true, force: true })
      })
      running.begin()

      let published = 0
      const write = (goal: number) => {
        for (; published < goal; published++) writer.write()
      }
      /** The records that the target should have now, with their sources. */
      const expected = () => (kind === 'values' ? claimedValues(simulator) : wholeEntities(simulator))
      const difference = () => {
        const left = new Set(target.documents.keys())
        const wrong = expected().filter(({ record, entity }) => {
          left.delete(record)
          const document = target.documents.get(record)
          return document === undefined || printOf(document) !== printOf(entity)
        })
        return { wrong: wrong.map(({ record }) => record), tooMuch: [...left] }
      }
      const isAsPlatform = () => Object.values(difference()).every((records) => records.length === 0)
      const settled = async () => {
        await until('the target to be as the platform', isAsPlatform, 120_000, 50).catch(() => {})
        expect(difference(), hint).toEqual({ wrong: [], tooMuch: [] })
      }
      const disturbances = noDisturbances()
      /** What befell the server of the state. */
      const harms: Record<string, number> = {}
      const begunAnew = new Set<number>()
      /** The current life has contacted the platform. */
      let isAsking = false
      onTestFinished(
        simulator.onRequest(() => {
          isAsking = true
        }),
      )
      const lost = { states: 0, resets: 0 }
      for (let kills = 1; kills <= killCount; kills++) {
        const goal = (eventCount * kills) / killCount
        const before = target.journal.length
        // A lost state includes the claims.
        const losesState = kind !== 'values' && kills % anewEvery === anewEvery - 1
        const isReset = kills % anewEvery === Math.floor(anewEvery / 2)
        // No event reports a deletion before the start of a catch-up.
        if (catchesUp && (losesState || isReset)) await settled()
        // Half of a round before the connector starts, the other half while it works.
        write((published + goal) / 2)
        if (random() < 0.15) {
          // On the way to its first call: registering, opening its state, asking for the stream.
          await sleep(random() * 150)
          write(goal)
        } else {
          await until(
            'the first calls of the child',
            () => target.journal.length > before || running.process.exitCode !== null,
            60_000,
          )
          expect(running.process.exitCode, `${hint}\n${running.said}`).toBeNull()
          write(goal)
          disturbStream(simulator, random, disturbances)
          const harm = (await state.disturb?.(random)) ?? 'none'
          harms[harm] = (harms[harm] ?? 0) + 1
          // At a random point of the remaining events; a time limit ends a round that never gets there.
          const killAt = before + 1 + Math.floor(random() * Math.max(1, published - audit.doneCount))
          await until('the moment', () => target.journal.length >= killAt, 500).catch(() => {})
          await sleep(random() * 20)
        }
        // Only after a clean stop does the platform know its position, which is what finds later deletions.
        await running.end(losesState && (catchesUp || random() < 0.5) ? 'SIGTERM' : 'SIGKILL')
        target.life++
        await audit.closeLife(performance.now())
        if (losesState) {
          await state.lose()
          lost.states++
        } else if (isReset) {
          simulator.resetState()
          lost.resets++
        }
        if (losesState || isReset) {
          begunAnew.add(target.life)
          audit.beginAnew()
        }
        running = next
        isAsking = false
        running.begin()
        next = load(target.life + 1)
      }
      await settled().catch(() => {})
      // With nothing left to do, all can be settled before the last life listens to signals.
      await until('the last life to ask the platform', () => isAsking, 60_000)
      expect(await running.end('SIGTERM'), `${hint}\n${running.said}`).toBe(0)
      audit.check()

      const versions = versionsOf(simulator, older)
      const lives = { newestAtOpening, begunAnew }
      const { disorders, gaps, overtaken } = checkSequences(target.journal, versions, lives, catchesUp)
      const sizes = { kills: killCount, ...lost, events: published, older: older.length }
      const done = { effects: target.journal.length, records: versions.size, again: audit.again, overtaken }
      const limits = { oldestUnwrittenMs: Math.round(audit.oldestUnwrittenMs), maxCalls: target.maxInFlight }
      const mishaps = { ...target.counts, ...disturbances, harms }
      await annotate(JSON.stringify({ ...sizes, ...mishaps, ...done, ...limits, ...writer.counts }))

      // Each record kept its order, nothing was missing, and each call used the id that the target assigned.
      if (kind !== 'values') {
        expect(disorders, hint).toEqual([])
        expect(gaps, hint).toEqual([])
      }
      expect(target.wrongIds, hint).toEqual([])
      // The target matches the platform, and nothing became a dead letter.
      const records = expected()
      expect([...target.documents.keys()].toSorted(), hint).toEqual(
        records.map(({ record }) => record).toSorted(),
      )
      for (const { record, entity } of records) expect(target.documents.get(record), hint).toEqual(entity)
      const store = await state.read()
      expect(await store!.countDeadLetters(), hint).toBe(0)
      await store!.close()
      // Repeated effects were in flight or unsaved, and no more than the maximum was ever in flight.
      expect(audit.unexplained, hint).toEqual([])
      expect(target.maxInFlight, hint).toBeLessThanOrEqual(kind === 'flush' ? 4 : 16)
      expect(target.maxItems, hint).toBeLessThanOrEqual(kind === 'flush' ? 20 : 1)
      // Written 100 ms after it ended, and later only by what a busy machine takes.
      expect(audit.oldestUnwrittenMs, hint).toBeLessThan(60_000)
    },
  )
}
