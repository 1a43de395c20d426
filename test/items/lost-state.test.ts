import { expect, test } from 'vitest'
import { until } from '../fixtures/until.ts'
import { type ValueStage, valueStage } from './value-stage.ts'

const deletesOrphans = { env: { CONNECTOR_RECONCILE_ORPHANS: 'delete' } }

/** What was deleted in the target, by key. */
const deletesOf = ({ target }: ValueStage) =>
  target.journal.filter((line) => line.startsWith('delete ')).map((line) => line.slice('delete /'.length))

/** Three entities, of which the third is not transformed before it is let go: until then nobody knows that it claims `b`. */
async function inTheMiddle(stage: ValueStage) {
  const first = stage.create('a:1 b:1')
  const second = stage.create('b:5 e:1')
  stage.create('b:2 c:1')
  await stage.start()
  await stage.holds('a', 'b', 'c', 'e')
  await stage.connector.stop()
  stage.loseState()
  const hold = () => {
    const gate = Promise.withResolvers<void>()
    stage.target.beforeTransform = (description) =>
      description === 'b:2 c:1' ? gate.promise : Promise.resolve()
    return () => gate.resolve()
  }
  const letGo = hold()
  stage.target.journal.length = 0
  await stage.start()
  await until('what is not held', () =>
    ['create /a', 'create /e'].every((line) => stage.target.journal.includes(line)),
  )
  stage.change(first, 'a:1 d:1')
  stage.simulator.delete(second.id)
  await until('the changed entity', () => stage.target.held.has('/d'))
  return { letGo, hold }
}

test('tells the platform that the target holds items, once it does', async () => {
  const stage = await valueStage()
  stage.create('a:1')
  await stage.start()
  await stage.holds('a')
  await stage.connector.stop()
  expect(JSON.parse(stage.simulator.connector()!.state!)).toMatchObject({ holds: 'items' })
})

test('after a lost state, an entity that is deleted takes no value with it that another one claims', async () => {
  const stage = await valueStage()
  const first = stage.create('a:1 b:1')
  stage.create('b:2 c:1')
  await stage.start()
  await stage.holds('a', 'b', 'c')
  await stage.connector.stop()
  stage.loseState()
  await stage.start()
  stage.simulator.delete(first.id)
  await stage.notice('claims-known')
  await stage.holds('b', 'c')
  expect(stage.notices).toContainEqual({ kind: 'claims-unknown', isToldAgain: true })
  expect(deletesOf(stage)).toEqual(['a'])
})

test('deletes nothing before everything was sent again, and then the items without a claim', async () => {
  const stage = await valueStage()
  const { letGo } = await inTheMiddle(stage)
  await until('the deleted entity', () => stage.connector.status().inFlight === 1)
  expect(deletesOf(stage)).toEqual([])
  expect(stage.connector.status()).toMatchObject({ state: 'running' })
  letGo()
  expect(await stage.notice('claims-known')).toEqual({ kind: 'claims-known', isCleared: true })
  await stage.holds('a', 'b', 'c', 'd')
  expect(deletesOf(stage)).toEqual(['e'])
  expect(stage.target.held.get('/b')).toEqual({ key: 'b', score: 2 })
})

test('goes on with it in the next process', async () => {
  const stage = await valueStage()
  const { hold } = await inTheMiddle(stage)
  await stage.kill()
  const letGo = hold()
  await stage.start()
  await until('the stream', () => !stage.connector.status().catchingUp)
  expect(deletesOf(stage)).toEqual([])
  letGo()
  await stage.notice('claims-known')
  await stage.holds('a', 'b', 'c', 'd')
  expect(deletesOf(stage)).toEqual(['e'])
  await stage.connector.stop()
  stage.notices.length = 0
  await stage.start()
  await stage.quiet()
  expect(stage.notices.filter(({ kind }) => kind.startsWith('claims'))).toEqual([])
})

test('starts over if the state is lost again in the middle', async () => {
  const stage = await valueStage()
  await inTheMiddle(stage)
  await stage.kill()
  stage.loseState()
  stage.target.beforeTransform = async () => {}
  await stage.start(deletesOrphans)
  await stage.notice('claims-known')
  await stage.holds('a', 'b', 'c', 'd')
  expect(deletesOf(stage)).toEqual(['e'])
})

test('what disappeared unnoticed is reported, and deleted only on request', async () => {
  const stage = await valueStage()
  const first = stage.create('a:1 b:1')
  stage.create('b:2 c:1')
  await stage.start()
  await stage.holds('a', 'b', 'c')
  await stage.connector.stop()
  stage.loseState()
  stage.simulator.faults.removeSilently(first.id)
  stage.simulator.faults.trimHistory(1)
  await stage.start()
  await stage.notice('claims-known')
  expect((await stage.notice('reconciled')).report).toMatchObject({ orphanIds: ['a'], orphansWithdrawn: 0 })
  await stage.holds('a', 'b', 'c')
  await stage.connector.stop()
  stage.loseState()
  await stage.start(deletesOrphans)
  await stage.holds('b', 'c')
  expect(deletesOf(stage)).toEqual(['a'])
})

test('a reset in the middle sends everything again, and deletes nothing before', async () => {
  const stage = await valueStage()
  const { letGo } = await inTheMiddle(stage)
  stage.simulator.resetState()
  await stage.notice('reset')
  expect(deletesOf(stage)).toEqual([])
  letGo()
  await stage.notice('claims-known')
  await stage.holds('a', 'b', 'c', 'd')
  expect(deletesOf(stage)).toEqual(['e'])
})

test('says so if no catch-up tells what the target holds, and calls no hook without a key', async () => {
  const stage = await valueStage()
  const first = stage.create('a:1 b:1')
  await stage.start()
  await stage.holds('a', 'b')
  await stage.connector.stop()
  stage.loseState()
  const state = { start_from: stage.simulator.lastEventId, recover_until: false, holds: 'items' }
  stage.simulator.setState(stage.connectorId, JSON.stringify(state))
  await stage.start({ env: { CONNECTOR_LIVE_STREAM_RECOVER: 'false' } })
  expect(stage.notices).toContainEqual({ kind: 'claims-unknown', isToldAgain: false })
  stage.simulator.delete(first.id)
  stage.create('c:1')
  await stage.holds('a', 'b', 'c')
  expect(deletesOf(stage)).toEqual([])
})

test('a connector that takes over from another client is told once to reset, so that everything is sent again', async () => {
  const stage = await valueStage()
  const first = stage.create('a:1 b:1')
  await stage.start()
  await stage.holds('a', 'b')
  await stage.connector.stop()
  stage.loseState()
  const start_from = stage.simulator.lastEventId
  stage.simulator.setState(stage.connectorId, JSON.stringify({ start_from, recover_until: false }))
  await stage.start(deletesOrphans)
  stage.create('b:2')
  stage.create('c:2')
  await stage.holds('a', 'b', 'c')
  const warnings = () => stage.warnings.filter((text) => text.includes('returned items with keys'))
  expect(warnings()).toHaveLength(1)
  // Where claims are missing, what seems to be nobody's is left alone.
  expect(await stage.connector.reconcile()).toMatchObject({ orphanIds: ['a'], orphansWithdrawn: 0 })
  stage.simulator.resetState()
  await stage.notice('claims-known')
  await stage.holds('a', 'b', 'c')
  stage.simulator.delete(first.id)
  await stage.holds('b', 'c')
  expect(warnings()).toHaveLength(1)
})
