import { expect, onTestFinished, test } from 'vitest'
import { type Clock, systemClock } from 'opencti-stream-connector'
import { buildIndicator, type LiveConnection, type Simulator } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { type CrashCall } from '../../fixtures/crash-target.ts'
import { JsonServer } from '../../fixtures/json-server.ts'
import { type Program, runProgram } from '../../fixtures/program.ts'
import { isFullChaos } from '../scale.ts'
import { plainSimulator } from '../../fixtures/plain-simulator.ts'

const isLong = isFullChaos
const objects = isLong ? 100_000 : 6000
const kills = isLong ? 30 : 5
const cutAfter = 700
/** How many times the objects may come in all; of few, what the first connections try counts more. */
const most = isLong ? 1.5 : 2

/** A platform whose objects were changed over a month, a third of them by one change of many at once. */
async function platformWithHistory(): Promise<Simulator> {
  let behindMs = 30 * 86_400_000
  const clock: Clock = { ...systemClock, now: () => systemClock.now() - behindMs }
  const simulator = await plainSimulator({ heartbeatMs: 50, idleReadMs: 20, catchUpPage: 500, clock })
  const step = 100
  for (let first = 0; first < objects; first += step) {
    const isBulk = first > objects / 3 && first < (objects * 2) / 3
    behindMs -= isBulk ? 1 : (25 * 86_400_000 * step) / objects
    simulator.load(
      Array.from({ length: step }, (_, index) => buildIndicator('sha256', { seed: first + index + 1 })),
    )
  }
  behindMs = 0
  simulator.create(buildIndicator('domain', { seed: objects + 1 }))
  return simulator
}

test(
  `a catch-up of ${objects} objects, cut after every ${cutAfter} and killed ${kills} times, completes and brings each object at most ${most} times`,
  { timeout: 900_000 },
  async () => {
    const simulator = await platformWithHistory()
    simulator.faults.cutCatchUpAfterObjects = cutAfter
    const connections = new Set<LiveConnection>()
    simulator.onRequest(() => {
      for (const connection of simulator.connections) connections.add(connection)
    })
    const held = new Map<string, number>()
    let calls = 0
    const target = new JsonServer((body, response) => {
      const { key } = body as CrashCall
      calls++
      held.set(key, (held.get(key) ?? 0) + 1)
      response.writeHead(204).end()
    })
    await target.open()
    onTestFinished(() => target.close())
    const environment = {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: await temporaryFolder(),
      CONNECTOR_LOG_LEVEL: 'error',
      CONNECTOR_FILTER_TYPES: 'indicator',
      CONNECTOR_CONCURRENCY: '16',
      CRASH_TARGET: target.url,
    }

    let program: Program | undefined
    for (let kill = 0; kill <= kills; kill++) {
      program = runProgram('crash-child.ts', environment)
      // At a random place of each part.
      const until = ((kill + Math.random()) / (kills + 1)) * objects
      const goal = kill === kills ? objects + 1 : until
      while (held.size < goal) {
        if (program.process.exitCode !== null) throw new Error(`the connector ended: ${program.said()}`)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      if (kill === kills) break
      program.process.kill('SIGKILL')
      await program.exit
    }

    expect(held.size).toBe(objects + 1)
    program!.process.kill('SIGTERM')
    expect(await program!.exit).toBe(0)
    const frames = [...connections].reduce((sum, { framesWritten }) => sum + framesWritten, 0)
    console.log(
      `${objects} objects: ${frames} frames on ${connections.size} connections, ${calls} effects, ${kills} kills`,
    )
    // What is no object of the catch-up among them: heartbeats, dependencies, and what is read live behind each piece.
    const others = connections.size * 60
    expect(frames - others).toBeLessThan(objects * most)
    // What the target had taken of one piece at each kill.
    expect(calls).toBeLessThan(objects + 1 + kills * cutAfter)
  },
)
