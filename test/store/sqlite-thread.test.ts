import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStateFile, SqliteConnection } from '../../src/store/sqlite-connection.ts'
import { SqliteThread } from '../../src/store/sqlite-thread.ts'
import { type EntityRecord } from '../../src/store/state-store.ts'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'
import { letter } from './state-store.conformance.ts'

const entities = (prefix: string, count = 600): EntityRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    key: `${prefix}-${index}`,
    stixId: `indicator--${index}`,
    position: `${index}-0`,
  }))

async function threadedStore() {
  const place = stateDirectory()
  const store = place.make()
  await store.open(connectorId)
  await store.commit({ putEntities: entities('warm') })
  return { ...place, store }
}

describe('large commits, in a separate thread', () => {
  it('wait for it while it starts, but this thread does not', async () => {
    const store = stateDirectory().make()
    await store.open(connectorId)
    const commit = store.commit({ putEntities: entities('a') })
    expect(store.entity('a-1')).toBeUndefined()
    await commit
    expect(store.entity('a-1')).toBeDefined()
  })

  it('can be read as soon as they are made', async () => {
    const { store } = await threadedStore()
    const before = await store.countEntities()
    const commit = store.commit({
      values: new Map([['position', '5-0']]),
      putEntities: (function* () {
        yield* entities('a', 5000)
      })(),
      deleteEntities: new Set(['warm-0']),
      addDeadLetters: [letter({ key: 'a-1', error: 'no' })],
      putDepartures: new Map([['gone', '4-0']]),
      durable: true,
    })
    expect(store.value('position')).toBeUndefined()
    expect(await store.countEntities()).toBe(before)
    await commit
    expect(store.value('position')).toBe('5-0')
    expect(await store.countEntities()).toBe(before + 4999)
    expect(store.entity('a-4999')).toStrictEqual(entities('a', 5000)[4999])
    expect(await store.deadLetter(1)).toMatchObject({ key: 'a-1', error: 'no' })
    expect(await store.departures()).toEqual(new Map([['gone', '4-0']]))
  })

  it('run one after another with small ones, and with all other writes', async () => {
    const { store } = await threadedStore()
    await store.commit({ addDeadLetters: [letter({ key: 'a-0' })] })
    const order: string[] = []
    const note = (name: string) => () => void order.push(name)
    const answers = await Promise.all([
      store.commit({ putEntities: entities('a', 3000) }).then(note('large')),
      store.commit({ putEntities: [{ key: 'a-0', stixId: 'newer' }] }).then(note('small')),
      store.commit({ putEntities: entities('b', 3000), deleteEntities: ['a-1'] }).then(note('another large')),
      store.requestReplay({ force: false }),
    ])
    expect(order).toEqual(['large', 'small', 'another large'])
    expect(answers.at(-1)).toBe(1)
    expect(store.entity('a-0')?.stixId).toBe('newer')
    expect(store.entity('a-1')).toBeUndefined()
    expect(store.entity('b-2999')).toBeDefined()
  })

  it('that fail are reported, change nothing, and do not stop the next one', async () => {
    const { store } = await threadedStore()
    const before = await store.countEntities()
    const bad = [...entities('a'), { key: 'bad', stixId: 's', expiresAtMs: 'soon' as unknown as number }]
    await expect(store.commit({ putEntities: bad })).rejects.toMatchObject({
      code: 'STATE_NOT_WRITTEN',
      message: expect.stringContaining('cannot store TEXT') as string,
    })
    expect(await store.countEntities()).toBe(before)
    await store.commit({ putEntities: entities('a') })
    expect(await store.countEntities()).toBe(before + 600)
  })

  it('are waited for by close, which leaves nothing behind', async () => {
    const { store, file, make } = await threadedStore()
    const commit = store.commit({ putEntities: entities('a', 5000) })
    await store.close()
    await commit
    expect(existsSync(`${file}-wal`)).toBe(false)
    await expect(store.commit({ putEntities: entities('b') })).rejects.toMatchObject({
      code: 'STATE_NOT_WRITTEN',
    })
    const again = make()
    await again.open(connectorId)
    expect(again.entity('a-4999')).toBeDefined()
  })
})

function connectionTo(file: string): SqliteConnection {
  const connection = new SqliteConnection(openStateFile(file, { readOnly: false }))
  onTestFinished(() => connection.close())
  return connection
}

describe('while another program writes', () => {
  it('commits wait for it in the thread, small ones too, and this thread continues', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    const shell = new DatabaseSync(file)
    onTestFinished(() => shell.close())
    shell.exec('BEGIN IMMEDIATE')
    const beganMs = performance.now()
    const commits = [
      store.commit({ putEntities: new Set(entities('a', 3)), deleteEntities: ['b'] }),
      store.commit({ values: new Map([['position', '5-0']]) }),
    ]
    expect(performance.now() - beganMs).toBeLessThan(1500)
    shell.exec('COMMIT')
    await Promise.all(commits)
    expect(store.entity('a-2')).toBeDefined()
    expect(store.value('position')).toBe('5-0')
  })

  it('commits fail after a while, and work when they are repeated', async () => {
    const { file, make } = stateDirectory()
    const store = make()
    await store.open(connectorId)
    const shell = new DatabaseSync(file)
    onTestFinished(() => shell.close())
    shell.exec('BEGIN IMMEDIATE')
    const commit = () => store.commit({ addDeadLetters: [letter()] })
    await expect(commit()).rejects.toMatchObject({
      code: 'STATE_NOT_WRITTEN',
      message: expect.stringMatching(/another program is writing.*None of this change was saved/) as string,
    })
    shell.exec('COMMIT')
    await commit()
    expect(await store.countDeadLetters()).toBe(1)
  })
})

describe('a thread that cannot start', () => {
  it('leaves commits to the calling thread', async () => {
    const { directory, file, store } = await threadedStore()
    const thread = new SqliteThread(`${directory}/none/state.sqlite`, connectionTo(file))
    onTestFinished(() => thread.close())
    await thread.commit({ putEntities: entities('a') })
    expect(store.entity('a-1')).toBeDefined()
    expect(thread.isAlive).toBe(false)
    await thread.close()
  })

  it('can be closed while it starts', async () => {
    const { file } = await threadedStore()
    const thread = new SqliteThread(file, connectionTo(file))
    await thread.close()
    expect(thread.isAlive).toBe(false)
  })
})
