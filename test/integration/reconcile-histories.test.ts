import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildMalware, buildRelationship, Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { type SqliteStore } from 'opencti-stream-connector'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'
import { makeMirror, Target, type Mirror } from '../fixtures/mirror.ts'
import { until } from '../fixtures/until.ts'

const action = fc.record({
  kind: fc.constantFrom(
    'create',
    'create',
    'create',
    'relate',
    'relate',
    'update',
    'delete',
    'vanish',
    'lose',
    'foreign',
    'restart',
    'lost-place',
    'reconcile',
  ),
  pick: fc.nat({ max: 1000 }),
})

/** One history: a platform, a target that people meddle with, and a connector that is stopped and started between. */
class History {
  readonly target = new Target()
  readonly foreign = new Set<string>()
  readonly #simulator: Simulator
  readonly #open: () => SqliteStore
  #mirror: Mirror | undefined
  #seed = 0

  constructor(simulator: Simulator, open: () => SqliteStore) {
    this.#simulator = simulator
    this.#open = open
  }

  async run({ kind, pick }: { kind: string; pick: number }): Promise<void> {
    const simulator = this.#simulator
    const malwares = this.#objects('malware')
    const all = [...malwares, ...this.#objects('relationship')]
    const one = all[pick % Math.max(1, all.length)]
    const seed = ++this.#seed
    if (kind === 'create') simulator.create(buildMalware({ seed, description: `first ${seed}` }))
    else if (kind === 'foreign')
      this.foreign.add(this.target.add({ stixId: `malware--foreign-${seed}`, isOurs: false }))
    else if (kind === 'restart') await this.restart()
    else if (kind === 'lost-place') await this.losePlace()
    else if (kind === 'reconcile') await this.reconcile()
    else if (one === undefined) return
    else if (kind === 'relate' && malwares.length > 1) {
      const other = malwares[(pick + 1) % malwares.length]!
      const from = malwares[pick % malwares.length]!
      simulator.create(buildRelationship(from, 'related-to', other, { seed }))
    } else if (kind === 'update') simulator.update(one.id, { description: `changed ${seed}` })
    else if (kind === 'delete') simulator.delete(one.id)
    else if (kind === 'vanish') simulator.faults.removeSilently(one.id)
    else if (kind === 'lose') this.target.lose(one.id)
  }

  async restart(meanwhile: () => void = () => {}): Promise<void> {
    if (this.#mirror !== undefined) await this.stop()
    meanwhile()
    this.#mirror = makeMirror(this.#simulator, {
      target: this.target,
      store: this.#open(),
      env: { CONNECTOR_ID: connectorId, CONNECTOR_FILTER_TYPES: 'malware,relationship' },
    })
    await this.#mirror.start()
  }

  /** While the connector is away, things happen that the history no longer tells when it comes back. */
  async losePlace(): Promise<void> {
    await this.settle()
    await this.restart(() => {
      const [one, other] = this.#objects('malware')
      this.#simulator.create(buildMalware({ seed: 2_000_000 + ++this.#seed }))
      this.#simulator.update(one!.id, { description: `unseen ${this.#seed}` })
      if (other !== undefined) this.#simulator.delete(other.id)
      this.#simulator.create(buildMalware({ seed: 3_000_000 + ++this.#seed }))
      this.#simulator.faults.trimHistory(1)
    })
  }

  async stop(): Promise<void> {
    await this.#mirror?.stop()
    this.#mirror = undefined
  }

  async reconcile() {
    // A new event ends a catch-up, which a comparison waits for.
    await this.settle()
    return this.#mirror!.reconcile({ force: true })
  }

  /** Waits until the connector has seen all that happened. */
  async settle(): Promise<void> {
    if (this.#mirror === undefined) await this.restart()
    const { id } = this.#simulator.create(buildMalware({ seed: 1_000_000 + ++this.#seed }))
    await until('the last event in the target', () => {
      const { catchingUp, inFlight } = this.#mirror!.status()
      return !catchingUp && inFlight === 0 && this.target.ours.includes(id)
    })
  }

  platform(): string[] {
    return [...this.#objects('malware'), ...this.#objects('relationship')].map(stateOf).toSorted()
  }

  ours(): string[] {
    const held = [...this.target.held.values()].filter(({ isOurs }) => isOurs)
    return held.map(({ stixId, description }) => `${stixId} ${String(description)}`).toSorted()
  }

  #objects(type: string): StixObject[] {
    return this.#simulator.entities().filter((object) => object.type === type)
  }
}

const stateOf = (object: StixObject) => `${object.id} ${String(object['description'])}`

test('after a comparison the target holds what the platform holds, plus everything foreign, whatever was lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
      const simulator = await Simulator.start({ heartbeatMs: 20, idleReadMs: 20 })
      const state = stateDirectory()
      const history = new History(simulator, () => state.make())
      try {
        for (const each of actions) await history.run(each)
        await history.reconcile()
        expect(history.ours()).toEqual(history.platform())
        for (const id of history.foreign) expect(history.target.held.has(id)).toBe(true)
        expect(await history.reconcile()).toMatchObject({
          gone: 0,
          missing: 0,
          orphans: history.foreign.size,
        })
      } finally {
        await history.stop()
        await simulator.close()
      }
    }),
    // Without shrinking: each run is a platform, a state file and several starts.
    { numRuns: 15, endOnFailure: true },
  )
}, 60_000)
