import { expect, test } from 'vitest'
import { makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

test('waits for a target that keeps open() from succeeding, also one that refuses the credentials', async () => {
  const simulator = await startSimulator()
  const recorder = makeRecorder(simulator)
  const failures = [
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('Authorization Violation'), { name: 'AuthorizationError' }),
  ]
  let opened = 0
  recorder.open = () => {
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    opened++
  }
  await recorder.start()
  expect(opened).toBe(1)
  const waits = recorder.lines.filter(({ message }) => message === 'The target is not ready yet; retrying')
  expect(waits).toHaveLength(2)
})

test('an error of open() that is not about the target stops the start', async () => {
  const simulator = await startSimulator()
  const recorder = makeRecorder(simulator)
  recorder.open = () => {
    throw new Error('ENOENT: no such file', { cause: { code: 'ENOENT' } })
  }
  await expect(recorder.start()).rejects.toThrow('no such file')
})

test('a start that waits for open() can be stopped', async () => {
  const simulator = await startSimulator()
  const recorder = makeRecorder(simulator)
  recorder.open = () => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  }
  const started = recorder.start()
  started.catch(() => {})
  await until('the wait', () => recorder.lines.find(({ message }) => message.includes('not ready yet')))
  await recorder.stop()
  expect(recorder.status().state).toBe('stopped')
})
