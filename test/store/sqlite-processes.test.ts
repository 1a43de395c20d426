import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'

const script = (name: string) => fileURLToPath(new URL(`children/${name}.ts`, import.meta.url))

/** A child that runs until it is killed, and the lines that it writes. */
function start(name: string, directory: string, entities = 20, nodeOptions: readonly string[] = []) {
  const options = [script(name), directory, connectorId, String(entities)]
  const child = spawn(process.execPath, [...nodeOptions, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => kill(child))
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

describe('kill -9 in the middle of commits', () => {
  it.each([
    ['', 20],
    ['made in their own thread ', 700],
  ])('%sloses nothing that was committed, keeps no half, and releases the lock', async (_, entities) => {
    const { directory, make } = stateDirectory()
    let last = 0
    for (const commits of [1, 40, 7, 90, 23]) {
      const { child, lines } = start('commit-loop', directory, entities)
      expect((await lines.next()).value).toBe('open')
      for (let count = 0; count < commits; count++) last = Number((await lines.next()).value)
      child.kill('SIGKILL')
      // What it had written into the pipe counts too.
      for await (const line of { [Symbol.asyncIterator]: () => lines }) last = Number(line)
      await kill(child)

      const store = make()
      expect(await store.open(connectorId)).toEqual({ fresh: false })
      const kept = Number(store.value('number'))
      // The very last one may have been kept without the time to say so.
      expect([last, last + 1]).toContain(kept)
      expect(await store.countEntities()).toBe(kept * entities)
      expect(await store.countDeadLetters()).toBe(kept)
      expect((await store.deadLetter(kept))?.data).toBe(String(kept))
      await store.close()
      last = kept
    }
    expect(last).toBeGreaterThan(160)
  })
})

describe('two processes', () => {
  it('never hold the same state, and the second gets it after the first was killed', async () => {
    const { directory, make } = stateDirectory()
    const first = start('hold', directory)
    expect((await first.lines.next()).value).toBe('open')
    const second = start('hold', directory)
    expect((await second.lines.next()).value).toBe('STATE_LOCKED')
    await expect(make().open(connectorId)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    const viewer = make({ access: 'read-only' })
    await viewer.open(connectorId)
    expect(await viewer.countEntities()).toBe(0)
    await viewer.close()
    await kill(first.child)
    expect(await make().open(connectorId)).toEqual({ fresh: false })
    const third = start('hold', directory)
    expect((await third.lines.next()).value).toBe('STATE_LOCKED')
  })

  it('can hold states of different connector ids in one folder', async () => {
    const { directory, make } = stateDirectory()
    const first = start('hold', directory)
    expect((await first.lines.next()).value).toBe('open')
    expect(await make({ connectorId: 'another' }).open('another')).toEqual({ fresh: true })
  })
})

describe('a disk that accepts no more', () => {
  it.each([
    ['', 1],
    ['of their own thread ', 2000],
  ])('makes commits %sfail as a whole, with what to do, and keeps earlier ones', async (_, entities) => {
    const { directory, make } = stateDirectory()
    // A limit for the size of files, in units of 1 KiB; Node ignores the signal that comes with it.
    const command = 'ulimit -f 1024; exec "$0" "$@"'
    const { stdout } = await promisify(execFile)('bash', [
      '-c',
      command,
      process.execPath,
      script('fill'),
      directory,
      connectorId,
      String(entities),
    ])
    const report = JSON.parse(stdout) as {
      number: number
      code: string
      message: string
      again: string
      value: string
      last?: object
    }
    expect(report.code).toBe('STATE_NOT_WRITTEN')
    expect(report.message).toMatch(/full.*None of this change was saved/)
    expect(report.number).toBeGreaterThan(5)
    // It goes on answering, as it was before the commit that failed.
    expect(report.again).toBe('STATE_NOT_WRITTEN')
    expect(report.value).toBe(String(report.number - 1))
    expect(report.last).toBeUndefined()

    const store = make()
    await store.open(connectorId)
    expect(store.value('number')).toBe(report.value)
    expect(await store.countEntities()).toBe((report.number - 1) * entities)
    await store.commit({ values: new Map([['number', 'more']]) })
    expect(store.value('number')).toBe('more')
  })
})

describe('a process without threads', () => {
  it('still makes large commits', async () => {
    const { directory, make } = stateDirectory()
    const limits = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*']
    const { child, lines } = start('commit-loop', directory, 700, limits)
    for (const line of ['open', '1', '2', '3']) expect((await lines.next()).value).toBe(line)
    await kill(child)
    const store = make()
    await store.open(connectorId)
    expect(await store.countEntities()).toBeGreaterThanOrEqual(2100)
  })
})
