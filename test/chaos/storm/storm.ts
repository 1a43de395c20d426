import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { comparePositions, parsePosition, SqliteStore } from 'opencti-stream-connector'
import { buildMalware, openCtiPropertiesOf, seededRandom, Simulator } from 'opencti-stream-connector/testing'
import { ChildLife } from '../../integration/child-life.ts'
import { publishedParts } from '../../integration/published-parts.ts'
import { scaled } from '../scale.ts'
import { nameOf, unsavedOf, type Excuse } from './books.ts'
import { StormTarget, type Effect } from './target.ts'
import { StormWriter } from './writer.ts'
import { until } from '../../integration/until.ts'

const killCount = scaled(20, 200, 'STORM_KILLS')
const eventCount = scaled(2000, 20_000, 'STORM_EVENTS')

/** Declares the test for one kind of hooks. Each kind has a file of its own, so that they run side by side. */
export function testStorm(hooks: 'single' | 'flush'): void {
  test(
    `${killCount} kills in ${eventCount} events, ${hooks} hooks: the target ends as the platform, in order, and only unsaved work is done twice`,
    { timeout: 60_000 + killCount * 5_000 },
    async ({ annotate }) => {
      const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000)
      const hint = `run again with STORM_SEED=${seed}`
      const random = seededRandom(seed)
      const directory = await mkdtemp(join(tmpdir(), 'storm-'))
      const simulator = await Simulator.start({ heartbeatMs: 50, idleReadMs: 50, retention: eventCount * 2 })
      const target = await StormTarget.start(random)
      const writer = new StormWriter(simulator, random)
      const environment: Record<string, string> = {
        ...simulator.environment(),
        CONNECTOR_STATE_DIR: directory,
        CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
        STORM_TARGET: target.url,
        STORM_HOOKS: hooks,
        // Hundreds of starts: the files are compiled once.
        NODE_COMPILE_CACHE: join(tmpdir(), 'storm-compiled'),
      }
      const connectorId = environment['CONNECTOR_ID']!
      const load = (life: number) =>
        new ChildLife(new URL('./child.ts', import.meta.url), { ...environment, STORM_LIFE: String(life) })
      let running = load(0)
      let next = load(1)
      onTestFinished(async () => {
        for (const { process: each } of [running, next]) each.kill('SIGKILL')
        await target.close()
        await simulator.close()
        await rm(directory, { recursive: true, force: true })
      })
      running.begin()

      let published = 0
      const write = (goal: number) => {
        for (; published < goal; published++) writer.write()
      }
      /** What may be done again, by the last kill. */
      let excuses: ReadonlyMap<string, Excuse> = new Map()
      const done = new Set<string>()
      const again: Record<Excuse | 'lost' | 'dependency', number> = {
        'in-flight': 0,
        'not-written': 0,
        lost: 0,
        dependency: 0,
      }
      const unsaved: Record<Excuse, number> = { 'in-flight': 0, 'not-written': 0 }
      const unexplained: string[] = []
      let audited = 0
      /** Every effect that was done before needs an excuse: the state at the last kill, or an answer that was lost. */
      const audit = () => {
        const doneNow = new Map<string, Effect>()
        for (; audited < target.journal.length; audited++) {
          const effect = target.journal[audited]!
          const name = nameOf(effect)
          const before = doneNow.get(name)
          if (before !== undefined) {
            if (before.isLost) again.lost++
            else unexplained.push(`life ${effect.life}: ${effect.hook} ${name} twice in one life`)
          } else if (done.has(name)) {
            const excuse = excuses.get(name)
            // Its frame carries the entity as it is when it is sent, so that it is never taken for known.
            if (effect.isDependency) again.dependency++
            else if (excuse === undefined)
              unexplained.push(`life ${effect.life}: ${effect.hook} ${name} was saved`)
            else again[excuse]++
          }
          doneNow.set(name, effect)
        }
        for (const name of doneNow.keys()) done.add(name)
      }
      let oldestUnwrittenMs = 0
      for (let kills = 1; kills <= killCount; kills++) {
        const goal = (eventCount * kills) / killCount
        const before = target.journal.length
        // Half of a round before the connector is there, the other half while it works.
        write((published + goal) / 2)
        if (random() < 0.15) {
          // On the way to its first call: registering, opening its state, asking for the stream.
          await sleep(random() * 150)
          write(goal)
        } else {
          await until(
            'the first calls of the child',
            () => target.journal.length > before || running.process.exitCode !== null,
            20_000,
          )
          expect(running.process.exitCode, `${hint}\n${running.said}`).toBeNull()
          write(goal)
          // Anywhere in what is still to be told; the patience ends a round whose moment never comes.
          const killAt = before + 1 + Math.floor(random() * Math.max(1, published - done.size))
          await until('the moment', () => target.journal.length >= killAt, 500).catch(() => {})
          await sleep(random() * 20)
        }
        await running.end('SIGKILL')
        target.life++
        const killedAtMs = performance.now()
        audit()
        const state = await unsavedOf(target.journal, connectorId, directory, target.life - 1, killedAtMs)
        excuses = state.excuses
        for (const excuse of excuses.values()) unsaved[excuse]++
        oldestUnwrittenMs = Math.max(oldestUnwrittenMs, state.oldestUnwrittenMs)
        running = next
        running.begin()
        next = load(target.life + 1)
      }

      // One more event, so that what is told last is known.
      const end = openCtiPropertiesOf(simulator.create(buildMalware({ seed: 9_000_000 }))).id
      const expected = publishedParts(simulator)
      const untold = new Set([...expected].filter((event) => !done.has(event)))
      let looked = audited
      await until(
        'everything told',
        () => {
          for (; looked < target.journal.length; looked++) untold.delete(nameOf(target.journal[looked]!))
          return untold.size === 0
        },
        60_000,
      ).catch(() => {})
      expect(await running.end('SIGTERM'), `${hint}\n${running.said}`).toBe(0)
      audit()

      const mishaps = { ...target.counts, ...writer.counts }
      const numbers = {
        seed,
        events: published,
        kills: killCount,
        effects: target.journal.length,
        unsaved,
        again,
      }
      const limits = { oldestUnwrittenMs: Math.round(oldestUnwrittenMs), maxCalls: target.maxInFlight }
      await annotate(JSON.stringify({ ...numbers, ...limits, ...mishaps }))

      // Nothing lost: each event of the stream was told, and of a merge each part; and nothing was put aside.
      expect(
        [...expected].filter((event) => !done.has(event)),
        hint,
      ).toEqual([])
      const store = new SqliteStore({ directory, connectorId, access: 'read-only' })
      await store.open(connectorId)
      expect(await store.countDeadLetters(), hint).toBe(0)
      await store.close()

      // The order of each entity was kept, and each call named the id that the target gave.
      expect(disorders(target.journal), hint).toEqual([])
      expect(target.wrongIds, hint).toEqual([])

      // The target is as the platform.
      const alive = simulator.entities().map((entity) => openCtiPropertiesOf(entity).id)
      expect([...target.documents.keys()].toSorted(), hint).toEqual(alive.toSorted())
      for (const entity of simulator.entities())
        expect(target.documents.get(openCtiPropertiesOf(entity).id), hint).toEqual(entity)
      expect(target.documents.has(end)).toBe(true)

      // What was done twice was in flight or unsaved, and no more than that was ever in flight.
      expect(unexplained, hint).toEqual([])
      expect(target.maxInFlight, hint).toBeLessThanOrEqual(hooks === 'single' ? 16 : 4)
      expect(target.maxItems, hint).toBeLessThanOrEqual(hooks === 'single' ? 1 : 20)
      // Written 100 ms after it ended, and later only by what a busy machine takes.
      expect(oldestUnwrittenMs, hint).toBeLessThan(10_000)
    },
  )
}

function disorders(journal: readonly Effect[]): string[] {
  const byKey = new Map<string, Effect[]>()
  for (const effect of journal) {
    const effects = byKey.get(effect.key)
    if (effects === undefined) byKey.set(effect.key, [effect])
    else effects.push(effect)
  }
  return [...byKey].flatMap(([key, effects]) => {
    const problem = disorderOf(effects)
    return problem === undefined ? [] : [`${key} ${problem}`]
  })
}

/** Says what is wrong with the order in which one entity was told, if something is. */
function disorderOf(effects: readonly Effect[]): string | undefined {
  let newest = parsePosition(effects[0]!.position)!
  for (const [index, effect] of effects.entries()) {
    const position = parsePosition(effect.position)!
    const before = effects[index - 1]
    // In one life positions never go back; with a new life they may, to repeat a suffix of what was told.
    if (before !== undefined && comparePositions(position, parsePosition(before.position)!) < 0) {
      if (before.life === effect.life)
        return `goes back within a life: ${before.position}, ${effect.position}`
      if (!effects.slice(0, index).some((earlier) => earlier.position === effect.position))
        return `goes back to what was never told: ${effect.position}`
    }
    if (comparePositions(position, newest) > 0) newest = position
  }
  return comparePositions(newest, parsePosition(effects.at(-1)!.position)!) === 0
    ? undefined
    : 'does not end with the newest event'
}
