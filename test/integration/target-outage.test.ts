import { expect, onTestFinished, test } from 'vitest'
import { SqliteStore, StreamConnector, type Entity, type NoSettings } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { lastEventOf } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { JsonServer } from '../fixtures/json-server.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

/** How long the target is away, in milliseconds of the real clock. */
const outageMs = 20_000

interface Pushed {
  readonly id: string
  readonly name: string
}

class Pusher extends StreamConnector<NoSettings, Pushed> {
  static override readonly defaults = {
    name: 'Pusher',
    filter: { types: ['indicator'] },
    // Whatever an outage used up of these would be seen.
    retry: { attempts: 2, baseMs: 100 },
    outage: { probeMaxMs: 4000 },
    health: { port: 0 },
  }
  target = ''

  transform(entity: Entity): Pushed {
    return { id: entity.id, name: String((entity as { name?: unknown }).name) }
  }

  override async create(json: Pushed): Promise<void> {
    await this.http.post(this.target, { json })
  }

  override update(json: Pushed): Promise<void> {
    return this.create(json)
  }
}

test(
  'a target that is down for 20 s costs no event, no try and no order; /readyz says so, and it catches up',
  { timeout: 120_000 },
  async () => {
    const simulator = await plainSimulator({ heartbeatMs: 1000, idleReadMs: 200 })
    const pushed: Pushed[] = []
    const target = new JsonServer((body, response) => {
      pushed.push(body as Pushed)
      response.writeHead(204).end()
    })
    await target.open()
    onTestFinished(() => target.close())
    const directory = await temporaryFolder()
    const { connectorId } = simulator
    const connector = new Pusher({
      env: simulator.environment(),
      directory,
      store: new SqliteStore({ directory, connectorId }),
    })
    connector.target = target.url
    onTestFinished(() => connector.stop())
    await connector.start()
    // What a catch-up tells is the newest state, not each change.
    await until('the live stream', () => !connector.status().catchingUp)
    const isReady = async () => {
      const response = await fetch(`${connector.status().endpoints.health}/readyz`)
      return { isReady: response.status === 200, body: await response.text() }
    }

    const ids: string[] = []
    const names = new Map<string, string[]>()
    let seed = 1
    /** One new entity, and a change of an earlier one. */
    const publish = () => {
      const created = simulator.create(buildIndicator('ipv4', { seed, name: `0 of ${seed}` }))
      ids.push(created.id)
      names.set(created.id, [`0 of ${seed}`])
      const earlier = ids[(seed * 7) % ids.length]!
      const said = names.get(earlier)!
      said.push(`${said.length} of ${earlier}`)
      simulator.update(earlier, { name: said.at(-1)! })
      seed++
    }
    for (let count = 0; count < 20; count++) publish()
    await until('the first ones', () => pushed.length >= 20)
    await until('readiness', async () => (await isReady()).isReady)

    await target.close()
    const downSinceMs = performance.now()
    let sawUnready = ''
    while (performance.now() - downSinceMs < outageMs) {
      publish()
      await new Promise((resolve) => setTimeout(resolve, 100))
      const { isReady: ready, body } = await isReady()
      if (!ready) sawUnready = body
      // Once it knows, it does not change its mind while the target is away.
      if (sawUnready !== '') expect(ready).toBe(false)
    }
    expect(sawUnready).toMatch(/"part":"target","reason":"the target is down/)
    const during = connector.status()
    expect(during).toMatchObject({ state: 'running', deadLettered: 0 })
    expect(during.inFlight).toBeGreaterThan(50)

    const pushedBefore = pushed.length
    await target.open()
    const last = simulator.create(buildIndicator('domain', { seed: 9999, name: 'last' }))
    await until('readiness', async () => (await isReady()).isReady, 40_000)
    await until('all of them', () => connector.status().inFlight === 0, 40_000)
    await until('the position', () => connector.status().position === lastEventOf(simulator, last.id), 40_000)

    expect(connector.status()).toMatchObject({ deadLettered: 0, outage: undefined, notReady: [] })
    expect(pushed.length).toBeGreaterThan(pushedBefore)
    for (const [id, said] of names) {
      const told = pushed.filter((each) => each.id === id).map(({ name }) => name)
      // What was cut off in the middle may have been told twice, never out of order.
      expect(told.filter((name, index) => name !== told[index - 1])).toEqual(said)
    }
  },
)
