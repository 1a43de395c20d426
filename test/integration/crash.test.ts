import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { comparePositions, parsePosition } from 'opencti-stream-connector'
import {
  buildIndicator,
  buildMalware,
  openCtiPropertiesOf,
  seededRandom,
  Simulator,
} from 'opencti-stream-connector/testing'
import { CrashTarget, type JournalEntry } from './crash-target.ts'
import { until } from './until.ts'

const eventCount = 5000
const killCount = 30
const child = fileURLToPath(new URL('./crash-child.ts', import.meta.url))

/** Writes one change of the knowledge base, by chance: creations, updates, deletions and merges. */
function writer(simulator: Simulator, random: () => number): () => void {
  const alive: string[] = []
  let seed = 0
  const take = () => alive.splice(Math.floor(random() * alive.length), 1)[0]!
  const pick = () => alive[Math.floor(random() * alive.length)]!
  return () => {
    const kind = random()
    seed++
    if (alive.length < 20 || kind < 0.3) {
      const object = random() < 0.5 ? buildMalware({ seed }) : buildIndicator('sha256', { seed })
      alive.push(openCtiPropertiesOf(simulator.create(object)).id)
    } else if (kind < 0.85) {
      simulator.update(pick(), { description: `changed for the time ${seed}` })
    } else if (kind < 0.96) {
      simulator.delete(take())
    } else {
      const target = pick()
      const { type } = simulator.entity(target)!
      const source = alive.find((id) => id !== target && simulator.entity(id)?.type === type)
      if (source === undefined) {
        simulator.update(target, { description: `changed for the time ${seed}` })
        return
      }
      alive.splice(alive.indexOf(source), 1)
      simulator.merge(target, [source])
    }
  }
}

function start(environment: Record<string, string>): { process: ChildProcess; said: () => string } {
  let said = ''
  const process_ = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', child], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  process_.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  return { process: process_, said: () => said }
}

/** Says what is wrong with the order in which one entity was told, if something is. */
function disorder(entries: readonly JournalEntry[]): string | undefined {
  let newest = parsePosition(entries[0]!.position)!
  for (const [index, entry] of entries.entries()) {
    const position = parsePosition(entry.position)!
    const before = entries[index - 1]
    // In one life positions never go back; with a new life they may, to repeat a suffix of what was told.
    if (before !== undefined && comparePositions(position, parsePosition(before.position)!) < 0) {
      if (before.life === entry.life) return `goes back within a life: ${before.position}, ${entry.position}`
      if (!entries.slice(0, index).some((earlier) => earlier.position === entry.position))
        return `goes back to what was never told: ${entry.position}`
    }
    if (comparePositions(position, newest) > 0) newest = position
  }
  return comparePositions(newest, parsePosition(entries.at(-1)!.position)!) === 0
    ? undefined
    : 'does not end with the newest event'
}

test(
  `a connector that is killed ${killCount} times in ${eventCount} events loses nothing and keeps the order`,
  { timeout: 120_000 },
  async ({ annotate }) => {
    const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000)
    await annotate(`CRASH_SEED=${seed}`)
    const hint = `run again with CRASH_SEED=${seed}`
    const random = seededRandom(seed)
    const directory = await mkdtemp(join(tmpdir(), 'crash-'))
    const simulator = await Simulator.start({ heartbeatMs: 50, idleReadMs: 50 })
    const target = await CrashTarget.start()
    const environment = {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: directory,
      CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
      CRASH_TARGET: target.url,
      // Thirty starts: the files are compiled once.
      NODE_COMPILE_CACHE: join(directory, 'compiled'),
    }
    let running = start(environment)
    onTestFinished(async () => {
      running.process.kill('SIGKILL')
      target.close()
      await simulator.close()
      await rm(directory, { recursive: true, force: true })
    })

    const write = writer(simulator, random)
    let published = 0
    for (let kills = 1; kills <= killCount; kills++) {
      const goal = (eventCount * kills) / killCount
      const before = target.journal.length
      // Half of a round before the connector is there, the other half while it works.
      const half = (published + goal) / 2
      for (; published < half; published++) write()
      await until(
        'the first calls of the child',
        () => target.journal.length > before || running.process.exitCode !== null,
        20_000,
      )
      expect(running.process.exitCode, running.said()).toBeNull()
      for (; published < goal; published++) write()
      // Anywhere in what is still to be told; the patience ends a round whose moment never comes.
      const killAt = before + 1 + Math.floor(random() * Math.max(1, published - before))
      await until('the moment', () => target.journal.length >= killAt, 500).catch(() => {})
      const exit = once(running.process, 'exit')
      running.process.kill('SIGKILL')
      await exit
      target.life++
      running = start(environment)
    }

    const alive = simulator.entities().map((entity) => openCtiPropertiesOf(entity).id)
    // One more event, so that what is told last is known.
    const end = openCtiPropertiesOf(simulator.create(buildMalware({ seed: 9_000_000 }))).id
    await until('the end of the stream', () => target.documents.has(end), 30_000)
    const expected = distinct(simulator)
    await until('everything told', () => told(target) >= expected.size, 20_000).catch(() => {})
    const exit = once(running.process, 'exit')
    running.process.kill('SIGTERM')
    const [code] = (await exit) as [number]
    expect(code, `${hint}\n${running.said()}`).toBe(0)

    // Nothing lost: each event of the stream was told, and of a merge each part.
    const seen = new Set(target.journal.map(({ key, position }) => `${key}@${position}`))
    expect(
      [...expected].filter((event) => !seen.has(event)),
      hint,
    ).toEqual([])

    // The order of each entity was kept.
    const byKey = new Map<string, JournalEntry[]>()
    for (const entry of target.journal) byKey.set(entry.key, [...(byKey.get(entry.key) ?? []), entry])
    const wrong = [...byKey].flatMap(([key, entries]) => {
      const problem = disorder(entries)
      return problem === undefined ? [] : [`${key} ${problem}`]
    })
    expect(wrong, hint).toEqual([])

    // And the target is as the platform.
    expect([...target.documents.keys()].toSorted(), hint).toEqual([...alive, end].toSorted())
    for (const entity of simulator.entities())
      expect(target.documents.get(openCtiPropertiesOf(entity).id), hint).toEqual(entity)
  },
)

function told(target: CrashTarget): number {
  return new Set(target.journal.map(({ key, position }) => `${key}@${position}`)).size
}

/** What has to be told: entity and position of each event, and of each source of a merge. */
function distinct(simulator: Simulator): Set<string> {
  return new Set(
    simulator.history.flatMap(({ id, type, data, envelope }) => {
      const sources = type === 'merge' ? (envelope.context?.sources ?? []) : []
      return [data, ...sources].map((object) => `${openCtiPropertiesOf(object).id}@${id}`)
    }),
  )
}
