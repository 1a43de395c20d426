import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { seededRandom, Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { FaultyFront, type FrontMood } from './faulty-front.ts'
import { until } from '../../fixtures/until.ts'
import { scaled } from '../scale.ts'

export const killCount = scaled(5, 25, 'STORM_KILLS')

/** The target of a stormed program. */
export interface StormedTarget extends AsyncDisposable {
  readonly url: string
  /** Number of answered requests. */
  readonly requests: number
}

/** The stormed program. */
export interface ProgramStorm<Target extends StormedTarget> {
  readonly target: Target
  /** The key that the front sends to the target instead of its own OAuth tokens. */
  readonly key?: string
  /** Returns the program's file, after writing it to a folder if necessary. */
  readonly program: (folder: string) => string | Promise<string>
  readonly environment: (front: FaultyFront, platformUrl: string) => Record<string, string>
  /** A new object, different for each number, with this name and description. */
  readonly build: (number: number, texts: { name: string; description: string }) => StixObject
  /** What the target has to say of what exists, and of what is gone; what several say, it says once. */
  readonly expected: (entity: StixObject, isGone: boolean) => string | readonly string[] | undefined
  /** The target's current content. */
  readonly actual: (target: Target) => readonly string[] | Promise<readonly string[]>
  /** Causes a fault specific to this target. */
  readonly disturb?: (target: Target) => void | Promise<void>
  readonly check?: (front: FaultyFront) => void
  /** Whether the state survives all kills. */
  readonly keepsState?: boolean
}

/** Installs this checkout as the package. */
const imports = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module'
const index = ${JSON.stringify(new URL('../../../src/index.ts', import.meta.url).href)}
registerHooks({ resolve: (name, context, next) => name === 'opencti-stream-connector' ? next(index, context) : next(name, context) })
`)}`

/** Kills a program again and again while the platform changes and its target has bad days; in the end the target is as the platform. */
export async function stormProgram<Target extends StormedTarget>(storm: ProgramStorm<Target>): Promise<void> {
  const { target, disturb } = storm
  const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000)
  const random = seededRandom(seed)
  const simulator = await Simulator.start({ heartbeatMs: 50, idleReadMs: 50 })
  const front = await FaultyFront.start(target.url, storm.key ?? '', random)
  const folder = await temporaryFolder()
  const state = join(folder, 'state')
  const file = await storm.program(folder)
  const env = {
    ...simulator.environment(),
    CONNECTOR_STATE_DIR: state,
    // Moments instead of seconds.
    CONNECTOR_RETRY_BASE_MS: '100',
    CONNECTOR_OUTAGE_PROBE_MIN_MS: '100',
    CONNECTOR_OUTAGE_PROBE_MAX_MS: '1000',
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
    ...storm.environment(front, simulator.url),
  }
  let said = ''
  let child: ChildProcess | undefined
  const start = () => {
    const begun = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--import', imports, file],
      {
        env,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    child = begun
    begun.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-20_000)))
  }
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    const exit = once(child!, 'exit')
    child!.kill(signal)
    await exit
  }
  onTestFinished(async () => {
    child?.kill('SIGKILL')
    await front[Symbol.asyncDispose]()
    await target[Symbol.asyncDispose]()
    await simulator.close()
  })

  const alive = new Map<string, StixObject>()
  const gone: StixObject[] = []
  let made = 0
  const write = () => {
    const ids = [...alive.keys()]
    const id = ids[Math.floor(random() * ids.length)]
    const luck = random()
    const texts = { name: `v${made}`, description: `v${made}` }
    if (id === undefined || luck < 0.5) {
      const created = simulator.create(storm.build(made, texts))
      alive.set(created.id, created)
    } else if (luck < 0.8) {
      alive.set(id, simulator.update(id, texts))
    } else {
      simulator.delete(id)
      gone.push(alive.get(id)!)
      alive.delete(id)
    }
    made++
  }
  const moods: readonly FrontMood[] = ['well', 'brown-out', 'busy']
  start()
  for (let kill = 0; kill < killCount; kill++) {
    front.mood = moods[kill % moods.length]!
    const { requests } = target
    await until(
      'the next request',
      () => target.requests > requests || simulator.connections.length > 0,
      20_000,
    )
    for (let count = 0; count < 15; count++) {
      write()
      await sleep(random() * 30)
    }
    if (kill % 10 === 4) await disturb?.(target)
    const losesState = kill % 10 === 2 && storm.keepsState !== true
    await end(losesState ? 'SIGTERM' : 'SIGKILL')
    if (losesState) await rm(state, { recursive: true })
    write()
    start()
  }
  front.mood = 'well'
  const difference = async () => {
    const lines = [
      ...[...alive.values()].flatMap((entity) => storm.expected(entity, false)),
      ...gone.flatMap((entity) => storm.expected(entity, true)),
    ]
    const expected = [...new Set(lines.filter((line) => line !== undefined))].toSorted()
    const actual = (await storm.actual(target)).toSorted()
    return [
      expected.filter((each) => !actual.includes(each)),
      actual.filter((each, index) => !expected.includes(each) || actual[index - 1] === each),
    ]
  }
  const isEqual = async () => (await difference()).flat().length === 0
  await until('the target to be as the platform', isEqual, 60_000).catch(() => {})
  expect(await difference(), `STORM_SEED=${seed}\n${said}`).toEqual([[], []])
  await end('SIGTERM')
  const store = new SqliteStore({ directory: state, connectorId: simulator.connectorId })
  await store.open(simulator.connectorId)
  const letters = await store.deadLetters({ limit: 10 })
  await store.close()
  expect(
    letters.map(({ error }) => error),
    `STORM_SEED=${seed}`,
  ).toEqual([])
  storm.check?.(front)
}
