import { expect, test } from 'vitest'
import { comparePositions, MemoryStore, parsePosition, PermanentError } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { anyPosition } from '../../src/session/author-position.ts'
import { type Recorder } from '../fixtures/recorder.ts'
import { caughtUp, lastEventOf, makeRecorder, startSimulator, streamRequests } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { storedValues } from '../../src/checkpoint/stored-values.ts'

/** Starts a connector whose target has stored `position`, and answers from where it reads. */
async function startFrom(
  simulator: Simulator,
  store: MemoryStore,
  position: string | undefined,
): Promise<{ recorder: Recorder; from: string | undefined; recover: string | undefined }> {
  const recorder = makeRecorder(simulator, { store })
  recorder.loadPosition = () => position
  const before = streamRequests(simulator).length
  await recorder.start()
  const request = await until('the request', () => streamRequests(simulator)[before])
  await caughtUp(recorder)
  return { recorder, from: request.query['from'], recover: request.query['recover'] }
}

/** A platform with two events, of which a connector has taken both and is stopped. */
async function stage() {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const { recorder } = await startFrom(simulator, store, undefined)
  const ids = [1, 2].map((seed) => simulator.create(buildIndicator('domain', { seed })).id)
  await until('both', () => ids.every((id) => recorder.callsOf(id).length === 1))
  const [first, second] = ids.map((id) => lastEventOf(simulator, id)) as [string, string]
  await until('the position', () => recorder.status().position === second)
  await recorder.stop()
  return { simulator, store, ids, first, second }
}

test('the stored position wins over ours, and the connector still knows what it pushed', async () => {
  const { simulator, store, ids, first } = await stage()
  const { recorder, from } = await startFrom(simulator, store, first)
  expect(from).toBe(first)
  await until('the event again', () => (recorder.status().skippedByReason['already-delivered'] ?? 0) > 0)
  expect(recorder.callsOf(ids[1]!)).toEqual([])
})

test("without a state file it wins over the platform's, without a catch-up, and deletes are passed on", async () => {
  const { simulator, ids, first } = await stage()
  for (const state of [undefined, '{"start_from":"1700000000000-0","recover_until":false}', null]) {
    if (state !== undefined) simulator.setState(simulator.connectorId, state)
    const { recorder, from, recover } = await startFrom(simulator, new MemoryStore(), first)
    expect({ state, from, recover }).toEqual({ state, from: first, recover: undefined })
    await recorder.stop()
  }
  simulator.setState(simulator.connectorId, null)
  const { recorder } = await startFrom(simulator, new MemoryStore(), first)
  simulator.delete(ids[0]!)
  await until('the delete', () => recorder.callsOf(ids[0]!).includes('delete:deleted'))
})

test('continues a first catch-up that was not complete', async () => {
  const { simulator } = await stage()
  simulator.setState(simulator.connectorId, null)
  const { from, recover } = await startFrom(simulator, new MemoryStore(), '0-0')
  expect(from).toBe('0-0')
  expect(recover).toBeDefined()
})

test('a reset or an edit on the platform while the connector is off wins, until another position is stored', async () => {
  const { simulator, store, first, second } = await stage()
  simulator.resetState()
  const elsewhere = '1700000000000-7'
  const { recorder, from } = await startFrom(simulator, store, elsewhere)
  expect(from).toBe('0-0')
  await recorder.stop()
  // The target still tells of the life before; ours is newer.
  const again = await startFrom(simulator, store, elsewhere)
  expect(again.from).not.toBe(elsewhere)
  await again.recorder.stop()
  const next = await startFrom(simulator, store, second)
  expect(next.from).toBe(second)
  await next.recorder.stop()
  simulator.setState(simulator.connectorId, `{"start_from":"${first}","recover_until":false}`)
  expect((await startFrom(simulator, store, second)).from).toBe(first)
})

test('a reset wins even if the state file is gone', async () => {
  const { simulator, first } = await stage()
  simulator.resetState()
  expect((await startFrom(simulator, new MemoryStore(), first)).from).toBe('0-0')
})

test('an earlier stored position does not undo a reset at run time', async () => {
  const { simulator, store, second } = await stage()
  const { recorder } = await startFrom(simulator, store, second)
  simulator.resetState()
  await until('the reset', () => recorder.notice('reset'))
  await until('the life before is void', () => store.value(storedValues.voidPosition) === anyPosition)
  await caughtUp(recorder)
  const { position } = recorder.status()
  await recorder.stop()
  // Somewhere else than where the new life stands.
  const stored = '1700000000000-7'
  expect(position).not.toBe(stored)
  const next = await startFrom(simulator, store, stored)
  expect(next.from).not.toBe(stored)
  expect(store.value(storedValues.voidPosition)).toBe(stored)
})

test('an invalid position stops the start with the reason, and the start waits for a target that is down', async () => {
  const { simulator, store, first } = await stage()
  const recorder = makeRecorder(simulator, { store })
  recorder.loadPosition = () => '2026-09-01'
  await expect(recorder.start()).rejects.toMatchObject({ code: 'HOOK_RESULT' })
  const patient = makeRecorder(simulator, { store })
  let asked = 0
  patient.loadPosition = () => {
    if (asked++ < 3) throw new Error('the database is away')
    return first
  }
  await patient.start()
  expect(asked).toBe(4)
})

/** Whether a position stands before the event about an entity. */
function isBefore(simulator: Simulator, position: string | undefined, entityId: string): boolean {
  const event = parsePosition(lastEventOf(simulator, entityId))!
  return position === undefined || comparePositions(parsePosition(position)!, event) < 0
}

test('the safe position never passes an event that has not ended', async () => {
  const simulator = await startSimulator()
  const recorder = makeRecorder(simulator)
  const gate = Promise.withResolvers<void>()
  let slow: string | undefined
  const safe: (string | undefined)[] = []
  recorder.create = async (_, context) => {
    if (context.entityId === slow) await gate.promise
    safe.push(context.safePosition)
  }
  await recorder.start()
  await caughtUp(recorder)
  slow = simulator.create(buildIndicator('domain', { seed: 1 })).id
  await until('the slow one', () => recorder.status().inFlight === 1)
  safe.length = 0
  for (let seed = 2; seed < 40; seed++) simulator.create(buildIndicator('domain', { seed }))
  await until('the others', () => safe.length === 38 && recorder.status().inFlight === 1)
  expect(safe.filter((position) => !isBefore(simulator, position, slow!))).toEqual([])
  gate.resolve()
  await until('the slow one', () => recorder.status().inFlight === 0)
})

test('the safe position never passes a dead letter that is not on disk', async () => {
  class SlowStore extends MemoryStore {
    disk = Promise.resolve()
    override async commit(changes: Parameters<MemoryStore['commit']>[0]): Promise<void> {
      await this.disk
      return super.commit(changes)
    }
  }
  const store = new SlowStore()
  const simulator = await startSimulator()
  const recorder = makeRecorder(simulator, { store })
  let poison: string | undefined
  let safe: string | undefined
  let told: string | undefined
  recorder.create = async (_, context) => {
    if (context.entityId === poison) throw new PermanentError('refused')
    safe = context.safePosition
    told = context.entityId
  }
  await recorder.start()
  await caughtUp(recorder)
  const disk = Promise.withResolvers<void>()
  store.disk = disk.promise
  poison = simulator.create(buildIndicator('domain', { seed: 1 })).id
  await until('the dead letter', () => recorder.status().deadLettered === 1)
  for (let seed = 2; seed < 9; seed++) simulator.create(buildIndicator('domain', { seed }))
  // It has ended, and the position has passed it, in memory.
  await until('the position', () => !isBefore(simulator, recorder.status().position, poison!))
  safe = undefined
  const last = simulator.create(buildIndicator('domain', { seed: 9 })).id
  await until('one more', () => told === last)
  const isSafe = isBefore(simulator, safe, poison)
  disk.resolve()
  await until('the letter on disk', async () => (await store.countDeadLetters()) === 1)
  expect(isSafe).toBe(true)
})
