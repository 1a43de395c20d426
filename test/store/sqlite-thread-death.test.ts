import { existsSync, statSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type StateChanges } from '../../src/store/state-store.ts'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'
import { letter } from './state-store.conformance.ts'

/** A store with its thread, and what the thread has said since. */
async function threadedStore() {
  const workers: Worker[] = []
  const note = (worker: Worker) => void workers.push(worker)
  process.on('worker', note)
  onTestFinished(() => void process.off('worker', note))
  const place = stateDirectory()
  const store = place.make()
  await store.open(connectorId)
  await store.commit({
    putEntities: Array.from({ length: 500 }, (_, index) => ({ key: `warm-${index}`, stixId: 'a' })),
  })
  expect(workers).toHaveLength(1)
  const [worker] = workers
  const answers: unknown[] = []
  worker!.on('message', (answer) => answers.push(answer))
  return { ...place, store, worker: worker!, answers }
}

/** More than SQLite's cache holds, and than the log gathers before it goes into the file. */
const large: StateChanges = {
  values: new Map([['position', '7-0']]),
  putEntities: Array.from({ length: 5000 }, (_, index) => ({
    key: `key-${index}`,
    stixId: `indicator--${index}`,
    externalId: 'x'.repeat(8000),
  })),
  addDeadLetters: [letter({ error: 'one' }), letter({ error: 'two' })],
}

describe('a commit whose thread dies', () => {
  it.each([
    ['before it begins', () => {}, false],
    [
      'when a part of it is in the log',
      ({ file }: { file: string }) => {
        const bytes = () => statSync(`${file}-wal`).size
        for (const before = bytes(); bytes() === before;);
      },
      false,
    ],
    [
      'when it is kept, before it says so',
      ({ isKept }: { isKept: () => boolean }) => {
        while (!isKept());
      },
      true,
    ],
    // A busy machine can give this thread its turn too late.
  ])('%s is kept once', { retry: 4 }, async (_, wait, keptBefore) => {
    const { store, file, worker, answers, make } = await threadedStore()
    const isKept = () => store.value('position') === '7-0'
    const commit = store.commit(large)
    wait({ file, isKept })
    // Without a turn of this thread since the commit: its answer cannot have been read.
    const terminated = worker.terminate()
    expect(isKept()).toBe(keptBefore)
    await terminated
    await commit
    expect(answers).toEqual([])

    const check = async (kept = store) => {
      expect(kept.value('position')).toBe('7-0')
      expect(await kept.countEntities()).toBe(5500)
      const letters = await kept.deadLetters({ limit: 9 })
      expect(letters.map(({ id, error }) => [id, error])).toEqual([
        [1, 'one'],
        [2, 'two'],
      ])
    }
    await check()
    // Without it, all of them are made here.
    await store.commit({ ...large, addDeadLetters: [] })
    await store.commit({ removeDeadLetters: [9] })
    await check()
    await store.close()
    expect(existsSync(`${file}-wal`)).toBe(false)
    const again = make()
    await again.open(connectorId)
    await check(again)
  })
})
