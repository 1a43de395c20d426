import { expect, test } from 'vitest'
import { until } from '../fixtures/until.ts'
import { valueStage } from './value-stage.ts'

const deletesOrphans = { env: { CONNECTOR_RECONCILE_ORPHANS: 'delete' } }

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `v${index}`)

test('a target that has lost half of its values is whole again after one comparison, without a question to the platform', async () => {
  const stage = await valueStage()
  const keys = numbered(16)
  stage.create(keys.map((key) => `${key}:1`).join(' '))
  stage.create('v0:7')
  await stage.start()
  await stage.holds(...keys)
  for (const key of keys.slice(0, 8)) stage.target.lose(`/${key}`)
  expect(await stage.connector.reconcile()).toMatchObject({
    items: 16,
    listed: 8,
    missing: 8,
    recreated: 8,
    gone: 0,
    orphans: 0,
    refused: [],
  })
  await stage.holds(...keys)
  expect(stage.target.held.get('/v0')).toEqual({ key: 'v0', score: 7 })
  expect(await stage.connector.reconcile()).toMatchObject({ missing: 0, recreated: 0 })
})

test('does not fill a target again unasked that lists next to nothing', async () => {
  const stage = await valueStage()
  const keys = numbered(30)
  stage.create(keys.map((key) => `${key}:1`).join(' '))
  await stage.start()
  await stage.holds(...keys)
  for (const key of keys.slice(1)) stage.target.lose(`/${key}`)
  expect(await stage.connector.reconcile()).toMatchObject({
    missing: 29,
    recreated: 0,
    refused: ['recreate'],
  })
  expect(await stage.connector.reconcile({ force: true })).toMatchObject({ recreated: 29, refused: [] })
  await stage.holds(...keys)
})

test('an entity that went unseen loses its claims, and only values that nothing else claims leave the target', async () => {
  const stage = await valueStage()
  const first = stage.create('a:9 b:1')
  stage.create('b:2 c:1')
  await stage.start()
  await stage.holds('a', 'b', 'c')
  stage.simulator.faults.removeSilently(first.id)
  expect(await stage.connector.reconcile()).toMatchObject({ gone: 1, withdrawn: 1 })
  await stage.holds('b', 'c')
  expect(stage.target.held.get('/b')).toEqual({ key: 'b', score: 2 })
})

test('reports values that it does not know, and deletes those that carry its mark', async () => {
  const stage = await valueStage()
  stage.create('a:1')
  await stage.start(deletesOrphans)
  await stage.holds('a')
  stage.target.put('/foreign', false)
  stage.target.put('/left', true)
  expect(await stage.connector.reconcile()).toMatchObject({
    orphans: 2,
    orphanIds: ['foreign', 'left'],
    orphansWithdrawn: 1,
  })
  await stage.holds('a', 'foreign')
})

test('deletes nothing that it does not know unless the settings say so', async () => {
  const stage = await valueStage()
  stage.create('a:1')
  await stage.start()
  await stage.holds('a')
  stage.target.put('/left', true)
  expect(await stage.connector.reconcile()).toMatchObject({ orphans: 1, orphansWithdrawn: 0 })
  await stage.holds('a', 'left')
})

test('leaves an unknown value alone that an entity claims before its turn has come', async () => {
  const stage = await valueStage()
  stage.create('a:1')
  await stage.start(deletesOrphans)
  await stage.holds('a')
  stage.target.put('/b', true)
  const listed = Promise.withResolvers<void>()
  stage.target.whenListed = async () => {
    stage.create('b:5')
    await until('the value', () => stage.target.held.get('/b')?.score === 5)
    await stage.quiet()
    listed.resolve()
  }
  expect(await stage.connector.reconcile()).toMatchObject({ orphans: 0, orphansWithdrawn: 0 })
  await listed.promise
  await stage.holds('a', 'b')
})

test('deletes what the target was told and nothing claims', async () => {
  const stage = await valueStage()
  stage.create('a:1')
  await stage.start()
  await stage.holds('a')
  await stage.connector.stop()
  stage.target.put('/b', true)
  await stage.store.open(stage.connectorId)
  await stage.store.commit({ putItems: [{ key: 'b', item: '{"key":"b","score":1}' }] })
  await stage.store.close()
  await stage.start()
  await stage.quiet()
  expect(await stage.connector.reconcile()).toMatchObject({ gone: 1, withdrawn: 1, orphans: 0 })
  await stage.holds('a')
})

test('a process that is killed in the middle of repairs loses none of them', async () => {
  const stage = await valueStage()
  const keys = numbered(10)
  stage.create(keys.map((key) => `${key}:1`).join(' '))
  await stage.start()
  await stage.holds(...keys)
  for (const key of keys.slice(0, 9)) stage.target.lose(`/${key}`)
  stage.target.faults.push('lost-answer', 'retryable', 'retryable', 'retryable')
  const comparison = stage.connector.reconcile().catch((error: unknown) => error)
  await until('the first repairs', () => stage.target.held.size >= 3)
  await stage.kill()
  await comparison
  await stage.start()
  await stage.quiet()
  await stage.connector.reconcile()
  await stage.holds(...keys)
})

test('changes nothing if the list breaks off', async () => {
  const stage = await valueStage()
  stage.create('a:1')
  await stage.start()
  await stage.holds('a')
  stage.target.whenListed = () => Promise.reject(new Error('the connection broke'))
  await expect(stage.connector.reconcile()).rejects.toMatchObject({ code: 'RECONCILE_FAILED' })
  await stage.holds('a')
})
