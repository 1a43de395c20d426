import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { buildMalware, openCtiPropertiesOf, seededRandom, Simulator } from 'opencti-stream-connector/testing'
import { JsonServer } from '../../fixtures/json-server.ts'
import { until } from '../../fixtures/until.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { scaled } from '../scale.ts'

/** An event as the target receives it. */
export interface SoakEffect {
  readonly id: string
  readonly kind: 'create' | 'update' | 'delete'
  /** Counts the changes of the entity, from 0. */
  readonly version: number
}

/** The connector's condition at one moment. */
export interface SoakSample {
  readonly counters: Record<'received' | 'delivered' | 'skipped' | 'deadLettered' | 'inFlight', number>
  /** In bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number }
  readonly handles: { readonly resources: number; readonly descriptors?: number }
}

const eventCount = scaled(20_000, 200_000, 'SOAK_EVENTS')
const heapMb = 96
/** Maximum number of written events that the target has not received. */
const maxAhead = 5000
const maxAlive = 5000
/** Cut the connection and refuse a batch after this many events. */
const troubleEvery = Math.ceil(eventCount / 10)

test(
  `${eventCount} events through a heap of ${heapMb} MB reach the target once and in order, and memory and handles stay as they were`,
  { timeout: 120_000 + eventCount * 2 },
  async ({ annotate }) => {
    const simulator = await Simulator.start({ heartbeatMs: 100, idleReadMs: 100, retention: maxAhead * 4 })
    const taken = new Map<string, number>()
    const problems: string[] = []
    let effects = 0
    let refusals = 0
    const target = new JsonServer((body, response) => {
      if (refusals < effects / troubleEvery - 1) {
        refusals++
        response.writeHead(503).end()
        return
      }
      for (const { id, kind, version } of body as SoakEffect[]) {
        effects++
        const before = taken.get(id)
        const expected = before === undefined ? 0 : kind === 'delete' ? before : before + 1
        const isFitting = version === expected && (kind === 'create') === (before === undefined)
        if (!isFitting) problems.push(`${kind} of version ${version} of ${id} after ${before}`)
        if (kind === 'delete') taken.delete(id)
        else taken.set(id, version)
      }
      response.writeHead(204).end()
    })
    await target.open()
    const directory = await temporaryFolder()
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        `--max-old-space-size=${heapMb}`,
        fileURLToPath(new URL('./soak-child.ts', import.meta.url)),
      ],
      {
        env: {
          ...simulator.environment(),
          CONNECTOR_STATE_DIR: directory,
          CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
          CONNECTOR_LOG_LEVEL: 'error',
          SOAK_TARGET: target.url,
        },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      },
    )
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-20_000)))
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await target.close()
      await simulator.close()
    })
    const exit = once(child, 'exit')
    const samples: (SoakSample & { readonly effects: number })[] = []
    child.on('message', (sample: SoakSample) => samples.push({ ...sample, effects }))

    const random = seededRandom(eventCount)
    const alive: { id: string; version: number }[] = []
    const write = (number: number) => {
      const luck = random()
      const index = Math.floor(random() * alive.length)
      const one = alive[index]
      if (one === undefined || (luck < 0.3 && alive.length < maxAlive)) {
        const created = simulator.create(
          buildMalware({ seed: number + 1, name: `Malware ${number}`, description: '0' }),
        )
        alive.push({ id: openCtiPropertiesOf(created).id, version: 0 })
      } else if (luck < 0.8) simulator.update(one.id, { description: String(++one.version) })
      else {
        simulator.delete(one.id)
        alive[index] = alive.at(-1)!
        alive.pop()
      }
    }
    const beganMs = performance.now()
    const isOver = () => child.exitCode !== null
    for (let written = 0; written < eventCount && !isOver(); written++) {
      write(written)
      if (written % troubleEvery === 0) simulator.faults.cut()
      if (written % 100 === 0)
        await until('the target', () => isOver() || written - effects < maxAhead, 120_000)
    }
    await until('the last event', () => isOver() || effects === eventCount, 120_000, 10)
    const seconds = (performance.now() - beganMs) / 1000
    // Idle, as at the beginning.
    await sleep(500)
    child.kill('SIGTERM')
    expect(await exit, said).toEqual([0, null])

    const thirds = (read: (sample: SoakSample) => number, from: 'first' | 'middle', of: typeof median) => {
      const steady = samples.filter(
        (sample) => sample.effects > eventCount / 20 && sample.effects < eventCount,
      )
      const third = Math.floor(steady.length / 3)
      const begin = from === 'first' ? 0 : third
      return [steady.slice(begin, begin + third), steady.slice(-third)].map((part) => of(part.map(read)))
    }
    const measured = {
      rssMb: thirds(({ memory }) => memory.rss / 1e6, 'first', median),
      heapUsedMb: thirds(({ memory }) => memory.heapUsed / 1e6, 'first', median),
      // From the middle on, when the thread of the store is there; the fewest, since connections come and go.
      resources: thirds(({ handles }) => handles.resources, 'middle', least),
      descriptors: thirds(({ handles }) => handles.descriptors ?? 0, 'middle', least),
    }
    const { counters } = samples.at(-1)!
    const rate = Math.round(eventCount / seconds)
    await annotate(
      JSON.stringify({ eventCount, seconds, rate, refusals, samples: samples.length, counters, ...measured }),
    )

    expect(problems.slice(0, 10)).toEqual([])
    expect(effects).toBe(eventCount)
    expect(taken.size).toBe(alive.length)
    for (const { id, version } of alive) expect(taken.get(id)).toBe(version)
    for (const { counters: each } of samples)
      expect(each.delivered + each.skipped + each.deadLettered + each.inFlight).toBe(each.received)
    expect(counters).toMatchObject({ delivered: eventCount, deadLettered: 0, inFlight: 0 })
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId, access: 'read-only' })
    await store.open(simulator.connectorId)
    expect((await store.entities({ limit: maxAlive * 2 })).length).toBe(alive.length)
    await store.close()

    const [rssBefore, rssAfter] = measured.rssMb as [number, number]
    expect(rssAfter).toBeLessThan(rssBefore * 1.25 + 64)
    const [heapBefore, heapAfter] = measured.heapUsedMb as [number, number]
    expect(heapAfter).toBeLessThan(heapBefore * 1.25 + 16)
    for (const [before, after] of [measured.resources, measured.descriptors] as [number, number][])
      expect(after).toBeLessThanOrEqual(before + 4)
  },
)

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function least(values: readonly number[]): number {
  return Math.min(...values)
}
