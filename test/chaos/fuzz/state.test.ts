import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { isStreamConnectorError, SqliteStore } from 'opencti-stream-connector'
import { afterAll, beforeAll, expect } from 'vitest'
import { testFuzz } from './test-fuzz.ts'

const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

/** The newest finished position. */
const newest = 60

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fuzz-'))
  await mkdir(join(folder, 'good'))
  await mkdir(join(folder, 'live'))
  const store = new SqliteStore({ directory: join(folder, 'live'), connectorId })
  await store.open(connectorId)
  for (let number = 1; number <= newest; number++)
    await store.commit({
      values: new Map([['state', JSON.stringify({ start_from: `${number}-0`, recover_until: false })]]),
      putEntities: Array.from({ length: 20 }, (_, index) => ({
        key: `key-${number}-${index}`,
        stixId: `indicator--${number}-${index}`,
        externalId: `T${number}-${index}`,
        position: `${number}-0`,
      })),
      addDeadLetters: [
        { eventType: 'create', attempts: 1, firstAtMs: 1, lastAtMs: 1, error: 'no', data: '{"data":{}}' },
      ],
      durable: number === 30,
    })
  // As after a kill: a file, and a log with commits that are not in the file yet.
  for (const name of await readdir(join(folder, 'live')))
    if (/\.sqlite(-wal)?$/.test(name)) await copyFile(join(folder, 'live', name), join(folder, 'good', name))
  await store.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const damage = fc.record({
  part: fc.constantFrom('.sqlite', '.sqlite-wal'),
  kind: fc.constantFrom('flip', 'zero', 'noise', 'truncate', 'empty', 'remove', 'swap'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 8192 }),
})

type Damage = typeof damage extends fc.Arbitrary<infer Value> ? Value : never

function damaged(bytes: Buffer, { kind, at, length }: Damage): Buffer {
  const start = Math.floor(at * bytes.length)
  if (kind === 'empty') return Buffer.alloc(0)
  if (kind === 'truncate') return bytes.subarray(0, start)
  if (kind === 'flip') bytes[start] = bytes[start]! ^ (1 << (length % 8))
  else if (kind === 'swap') bytes.copy(bytes, start, 0, Math.min(length, bytes.length - start))
  else bytes.fill(kind === 'zero' ? 0 : 0x5a, start, Math.min(start + length, bytes.length))
  return bytes
}

let count = 0

testFuzz(
  'reports a damaged state, or reads it as of some commit, never with a position beyond it',
  fc.array(damage, { minLength: 1, maxLength: 3 }),
  async (damages) => {
    const directory = join(folder, `copy-${count++}`)
    await mkdir(directory)
    try {
      for (const name of await readdir(join(folder, 'good'))) {
        const suffix = name.slice(name.indexOf('.sqlite'))
        const mine = damages.filter(({ part }) => part === suffix)
        if (mine.some(({ kind }) => kind === 'remove')) continue
        let bytes: Buffer = await readFile(join(folder, 'good', name))
        for (const each of mine) if (bytes.length > 0) bytes = damaged(bytes, each)
        await writeFile(join(directory, name), bytes)
      }
      await useAll(directory)
    } finally {
      await rm(directory, { recursive: true })
    }
  },
)

/** Opens, reads, and writes; any failure must be a StateError. */
async function useAll(directory: string): Promise<void> {
  const store = new SqliteStore({ directory, connectorId })
  const told: unknown[] = []
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      told.push(error)
      return undefined
    }
  }
  const opening = await attempt(() => store.open(connectorId))
  if (opening !== undefined) {
    const state = await attempt(() => store.value('state'))
    const entities = await attempt(() => store.entities({ limit: 10_000 }))
    for (const number of [1, 30, newest]) await attempt(() => store.entity(`key-${number}-0`))
    await attempt(() => store.deadLetters({ limit: 1000 }))
    await attempt(() => store.countEntities())
    await attempt(() =>
      store.commit({ values: new Map([['more', 'x']]), putEntities: [{ key: 'more', stixId: 'a' }] }),
    )
    if (told.length === 0) expectCommitted(state, entities!.length)
  }
  await attempt(() => store.close())
  for (const error of told) {
    expect(isStreamConnectorError(error)).toBe(true)
    expect((error as Error).message).toMatch(/^(The|There|This) .*state/)
  }
}

function expectCommitted(state: string | undefined, entities: number): void {
  if (state === undefined) return
  const { start_from: position } = JSON.parse(state) as { start_from: string }
  const number = Number.parseInt(position, 10)
  expect(number).toBeGreaterThan(0)
  expect(number).toBeLessThanOrEqual(newest)
  // The id map and the position come from the same commit.
  expect(entities).toBe(number * 20)
}
