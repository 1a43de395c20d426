import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { buildIndicator, openCtiPropertiesOf, type Simulator } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { CrashTarget } from '../fixtures/crash-target.ts'
import { runProgram } from '../fixtures/program.ts'
import { type Recorder } from '../fixtures/recorder.ts'
import {
  caughtUp,
  lastEventOf,
  makeRecorder,
  startRecorder,
  startSimulator,
  streamRequests,
} from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

async function storeIn(simulator: Simulator, directory?: string): Promise<SqliteStore> {
  return new SqliteStore({
    directory: directory ?? (await temporaryFolder()),
    connectorId: simulator.connectorId,
  })
}

/** A connector with its state in SQLite that has caught up. */
async function onStage(env: Record<string, string> = {}) {
  const simulator = await startSimulator()
  const store = await storeIn(simulator)
  const recorder = await startRecorder(simulator, { store, env })
  await caughtUp(recorder)
  return { simulator, recorder, store }
}

/** Delivers one more event, as proof that nothing has stopped, and waits until its position is safe. */
async function proveReading(simulator: Simulator, recorder: Recorder): Promise<void> {
  const { id } = simulator.create(buildIndicator('domain', { seed: 4242 }))
  await until('the delivery of an event', () => recorder.callsOf(id).length > 0)
  await until('its position', () => recorder.status().position === lastEventOf(simulator, id))
  const { received, delivered, skipped, deadLettered, inFlight } = recorder.status()
  expect(received).toBe(delivered + skipped + deadLettered + inFlight)
}

describe('frames', () => {
  const unreadable: Record<string, [send: (simulator: Simulator) => void, error: RegExp, raw: RegExp]> = {
    'malformed JSON': [({ faults }) => faults.malformedFrame(), /not valid JSON/, /"data":\{"id":$/],
    'an envelope without data': [
      ({ faults }) => faults.envelopeWithoutData(),
      /"data"|"id"/,
      /"origin":\{\}/,
    ],
    'an entity without id': [
      ({ faults, lastEventId }) =>
        faults.raw(`id: ${lastEventId}\nevent: create\ndata: {"data":{"type":"malware","name":"x"}}\n\n`),
      /no "id"/,
      /"malware"/,
    ],
    'an entity without type': [
      ({ faults, lastEventId }) =>
        faults.raw(`id: ${lastEventId}\nevent: update\ndata: {"data":{"id":"malware--1","name":"x"}}\n\n`),
      /no "type"/,
      /malware--1/,
    ],
    'JSON that is no object': [
      ({ faults, lastEventId }) => faults.raw(`id: ${lastEventId}\nevent: delete\ndata: [1,2]\n\n`),
      /not a JSON object/,
      /\[1,2\]/,
    ],
  }
  test.for(Object.entries(unreadable))(
    '%s becomes a dead letter with the raw text, and the others continue',
    async ([, [send, error, raw]]) => {
      const { simulator, recorder, store } = await onStage()
      const before = recorder.streamKinds.length
      send(simulator)
      const notice = await until('the notice', () => recorder.notice('dead-lettered'))
      expect(notice.error).toMatch(error)
      await proveReading(simulator, recorder)
      expect(recorder.status()).toMatchObject({ state: 'running', deadLettered: 1 })
      const [letter] = await store.deadLetters({ limit: 10 })
      expect(letter!.error).toMatch(error)
      expect(letter!.data).toMatch(raw)
      // On a busy machine the first connection may have taken too long for this fast clock.
      expect(recorder.streamKinds.slice(before)).not.toContain('broken')
    },
  )

  const data = {
    id: 'malware--e15e371b-d202-559b-afea-0103ad3b341d',
    type: 'malware',
    name: 'x',
    extensions: {
      'extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba': {
        id: 'b2f9b6de-5c5d-43e7-9a18-3d2e4f500006',
      },
    },
  }
  const hostile: [event: string, envelope: unknown][] = [
    ['merge', { type: 'merge', data, context: { sources: {} } }],
    ['merge', { type: 'merge', data, context: { sources: 'malware--1' } }],
    ['merge', { type: 'merge', data, context: { sources: [null, 5, {}, { id: 'malware--2' }] } }],
    ['merge', { type: 'merge', data, context: null }],
    ['update', { type: 'update', data, context: { patch: 5, reverse_patch: 5 } }],
    ['update', { type: 'update', data, context: { patch: {}, reverse_patch: {} } }],
    ['update', { type: 'update', data, context: { patch: [null], reverse_patch: [null, { op: 'move' }] } }],
    [
      'update',
      {
        type: 'update',
        data,
        context: { reverse_patch: [{ op: 'replace', path: '/__proto__/x', value: 1 }] },
      },
    ],
    [
      'update',
      { type: 'update', data: { ...data, extensions: 5 }, context: { reverse_patch: 'x' }, origin: 'x' },
    ],
    [
      'create',
      { type: 7, data: { ...data, labels: 5, object_marking_refs: 'x', revoked: 'yes', extensions: null } },
    ],
    ['create', { data: { ...data, type: 'indicator', valid_until: {}, pattern: 5, revoked: [] } }],
    ['delete', { data: { ...data, type: 'constructor', id: '__proto__' } }],
  ]
  test.for(hostile)('a hostile %s %j ends in the counters and stops nothing', async ([event, envelope]) => {
    const { simulator, recorder } = await onStage({ CONNECTOR_FILTER_MAX_TLP: 'TLP:RED' })
    const { received } = recorder.status()
    const before = recorder.streamKinds.length
    simulator.faults.raw(
      `id: ${simulator.lastEventId}\nevent: ${event}\ndata: ${JSON.stringify(envelope)}\n\n`,
    )
    await until('the frame', () => recorder.status().received > received)
    await proveReading(simulator, recorder)
    await until('the end of all work', () => recorder.status().inFlight === 0)
    // On a busy machine the first connection may have taken too long for this fast clock.
    expect(recorder.streamKinds.slice(before)).not.toContain('broken')
  })

  test('a frame over the limit becomes a dead letter that names the setting, and the stream continues', async () => {
    const { simulator, recorder, store } = await onStage({ CONNECTOR_MAX_FRAME_BYTES: '20000' })
    simulator.faults.largeFrame(100_000)
    const notice = await until('the notice', () => recorder.notice('dead-lettered'))
    expect(notice.error).toMatch(/CONNECTOR_MAX_FRAME_BYTES/)
    await proveReading(simulator, recorder)
    const [letter] = await store.deadLetters({ limit: 10 })
    expect(letter!.data.length).toBeLessThanOrEqual(20_000)
    expect(letter!.data).toContain('"report"')
  })

  test('delivers a frame of many megabytes whole', async () => {
    const { simulator, recorder } = await onStage()
    const report = simulator.faults.largeFrame(8_000_000)
    await until('the report', () => recorder.callsOf(report.id).length > 0)
    expect(recorder.calls.find(({ entityId }) => entityId === report.id)!.entity).toEqual(report)
  })

  test('skips an unknown event name with a reason, reports it once, and counts its id', async () => {
    const { simulator, recorder } = await onStage()
    for (const name of ['telemetry', 'telemetry', 'audit', 'telemetry']) simulator.faults.unknownEvent(name)
    await until('the skips', () => recorder.status().skippedByReason['unknown-event'] === 4)
    expect(recorder.status().deadLettered).toBe(0)
    // Told once for each name, however many come.
    const told = recorder.lines.filter(({ message }) => message.includes('unknown kind of event'))
    expect(told.map(({ level, attributes }) => [level, attributes?.['event']])).toEqual([
      ['warn', 'telemetry'],
      ['warn', 'audit'],
    ])
    await proveReading(simulator, recorder)
  })

  test('a bug in transform makes a dead letter at once, and the others continue', async () => {
    const { simulator, recorder, store } = await onStage()
    recorder.onCall = ({ entity }) => {
      if (entity['description' as never] === 'poison') throw new TypeError('cannot read "x" of undefined')
    }
    const { id } = simulator.create(buildIndicator('ipv4', { seed: 5, description: 'poison' }))
    const notice = await until('the notice', () => recorder.notice('dead-lettered'))
    expect(notice).toMatchObject({ entityId: id })
    await proveReading(simulator, recorder)
    const [letter] = await store.deadLetters({ limit: 10 })
    expect(letter).toMatchObject({ entityId: id, entityType: 'indicator', eventType: 'create' })
    expect(JSON.parse(letter!.data)).toMatchObject({ data: { id } })
  })
})

describe('the state on disk', () => {
  test('with a corrupt file, the connector does not start, says what to move away, and leaves the file alone', async () => {
    const simulator = await startSimulator()
    const directory = await temporaryFolder()
    const path = join(directory, `${simulator.connectorId}.sqlite`)
    await writeFile(path, 'this is no database, but it may be precious')
    const recorder = makeRecorder(simulator, { store: await storeIn(simulator, directory) })
    await expect(recorder.start()).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
    await expect(recorder.finished).rejects.toThrow(/Move .* away and start again/)
    expect(await readFile(path, 'utf8')).toBe('this is no database, but it may be precious')
    expect(recorder.status().state).toBe('failed')
  })

  test.skipIf(process.getuid?.() === 0)(
    'in a folder that is not writable, the connector does not start, and says who must own it',
    async () => {
      const simulator = await startSimulator()
      const directory = await temporaryFolder()
      await chmod(directory, 0o500)
      const recorder = makeRecorder(simulator, { store: await storeIn(simulator, directory) })
      await expect(recorder.start()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
      await chmod(directory, 0o700)
    },
  )

  test('in a folder that is a file, the connector does not start, and says so', async () => {
    const simulator = await startSimulator()
    const path = join(await temporaryFolder(), 'state')
    await writeFile(path, '')
    const recorder = makeRecorder(simulator, { store: await storeIn(simulator, path) })
    await expect(recorder.start()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
    await expect(recorder.finished).rejects.toThrow(/CONNECTOR_STATE_DIR.*is a file/)
  })

  test('in a state file that is a folder, the connector does not start', async () => {
    const simulator = await startSimulator()
    const directory = await temporaryFolder()
    await mkdir(join(directory, `${simulator.connectorId}.sqlite`))
    const recorder = makeRecorder(simulator, { store: await storeIn(simulator, directory) })
    await expect(recorder.start()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
  })

  test('in use by another connector, a second one is refused and does not disturb the first', async () => {
    const simulator = await startSimulator()
    const directory = await temporaryFolder()
    const first = await startRecorder(simulator, { store: await storeIn(simulator, directory) })
    await caughtUp(first)
    const second = makeRecorder(simulator, { store: await storeIn(simulator, directory) })
    const pings = simulator.connector()!.registrations.length
    await expect(second.start()).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    await expect(second.finished).rejects.toThrow(/give each its own CONNECTOR_ID/)
    expect(simulator.connector()!.registrations.length).toBe(pings)
    await proveReading(simulator, first)
    expect(first.status().state).toBe('running')
  })

  test('on a full disk, the connector says so, accepts no more events, loses nothing, and resumes when there is room', async () => {
    const simulator = await startSimulator()
    const store = new FullDisk({ directory: await temporaryFolder(), connectorId: simulator.connectorId })
    const recorder = await startRecorder(simulator, { store })
    await caughtUp(recorder)
    store.isFull = true
    const ids = Array.from(
      { length: 50 },
      (_, index) => simulator.create(buildIndicator('ipv4', { seed: index + 1 })).id,
    )
    const notice = await until('the notice', () => recorder.notice('state-not-written'))
    expect(notice.error).toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    expect(notice.error.message).toMatch(/disk is full. Free up space/)
    expect(recorder.status().stateProblem).toMatch(/disk is full/)
    expect(recorder.status().state).toBe('running')
    store.isFull = false
    await until('the end of it', () => recorder.notice('state-restored'))
    await until('all of them', () => ids.every((id) => recorder.callsOf(id).length > 0))
    await proveReading(simulator, recorder)
    expect(recorder.status().stateProblem).toBeUndefined()
  })

  test('in a folder deleted at run time, nothing counts as done since, and a restart repeats it', async () => {
    const simulator = await startSimulator()
    const directory = await temporaryFolder()
    const recorder = await startRecorder(simulator, { store: await storeIn(simulator, directory) })
    await caughtUp(recorder)
    await rm(directory, { recursive: true })
    const ids = [1, 2, 3].map((seed) => simulator.create(buildIndicator('ipv4', { seed })).id)
    const notice = await until('the notice', () => recorder.notice('state-not-written'))
    expect(notice.error.message).toMatch(/deleted or replaced.*restart the connector/)
    await recorder.stop()
    const next = await startRecorder(simulator, { store: await storeIn(simulator, directory) })
    await until('all of them', () => ids.every((id) => next.callsOf(id).length > 0))
    await proveReading(simulator, next)
  })

  test.skipIf(process.platform === 'win32')(
    'in files that cannot grow, the process lives, and a kill loses nothing',
    async () => {
      const simulator = await startSimulator()
      const target = await CrashTarget.start()
      onTestFinished(() => target.close())
      const environment = {
        ...simulator.environment(),
        CONNECTOR_STATE_DIR: await temporaryFolder(),
        CRASH_TARGET: target.url,
      }
      const full = runProgram('./crash-child.ts', environment, { maxFileKiB: 140 })
      await until('the first call', () => target.calls > 0, 20_000)
      const ids: string[] = []
      const isSaid = () => full.said().includes('The state cannot be written')
      for (let seed = 1; seed <= 2000 && !isSaid(); seed++) {
        ids.push(openCtiPropertiesOf(simulator.create(buildIndicator('ipv4', { seed }))).id)
        if (seed % 20 === 0)
          await until('these', () => isSaid() || ids.every((id) => target.documents.has(id)), 20_000)
      }
      expect(isSaid()).toBe(true)
      expect(full.process.exitCode).toBeNull()
      full.process.kill('SIGKILL')
      await full.exit
      const connections = streamRequests(simulator).length
      const next = runProgram('./crash-child.ts', environment)
      await until('all of them', () => ids.every((id) => target.documents.has(id)), 20_000)
      // A signal before it listens for signals would end it. All may be there already, and the old connection still count.
      await until('its connection', () => streamRequests(simulator).length > connections, 20_000)
      next.process.kill('SIGTERM')
      expect(await next.exit, next.said()).toBe(0)
    },
  )
})

/** Fails to write as SQLite does when the disk is full: its own limit of pages makes it so. */
class FullDisk extends SqliteStore {
  isFull = false

  override async commit(changes: Parameters<SqliteStore['commit']>[0]): Promise<void> {
    if (this.isFull) {
      // A database of its own that may not grow answers with the same code (SQLITE_FULL).
      const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
      const database = new DatabaseSync(':memory:')
      const { stateFailure } = await import('../../src/store/sqlite-failure.ts')
      try {
        database.exec(
          'CREATE TABLE t (x); PRAGMA max_page_count = 2; INSERT INTO t VALUES (zeroblob(100000))',
        )
      } catch (error) {
        throw stateFailure(error, 'writing', 'state.sqlite')
      } finally {
        database.close()
      }
    }
    await super.commit(changes)
  }
}

describe('a program', () => {
  const secretToken = '5f2c9a51-aaaa-4bbb-8ccc-1234567890ab'

  test('exits with 2 for wrong settings, with all of them in one report, and no value', async () => {
    const program = runProgram('./crash-child.ts', {
      OPENCTI_URL: 'not-an-address',
      OPENCTI_TOKEN: secretToken,
      OPENCTI_CUSTOM_HEADERS: `x-key:${secretToken}\u0001`,
      CONNECTOR_ID: 'ChangeMe',
      CONNECTOR_CONCURRENCY: 'eight-thousand',
      CRASH_TARGET: 'http://127.0.0.1:9/',
    })
    expect(await program.exit).toBe(2)
    for (const name of ['OPENCTI_URL', 'CONNECTOR_ID', 'CONNECTOR_CONCURRENCY'])
      expect(program.said()).toContain(name)
    for (const value of [secretToken, 'not-an-address', 'eight-thousand'])
      expect(program.said()).not.toContain(value)
    expect(program.said()).not.toMatch(/\n\s+at /)
  })

  test('exits with 3 for an unknown stream, with a message that says what to do', async () => {
    const simulator = await startSimulator()
    const program = runProgram('./crash-child.ts', {
      ...simulator.environment({ CONNECTOR_LIVE_STREAM_ID: 'ac6fdb8f-2d43-4c37-a10b-5fbeb53f0b1f' }),
      CONNECTOR_STATE_DIR: await temporaryFolder(),
      CRASH_TARGET: 'http://127.0.0.1:9/',
    })
    expect(await program.exit).toBe(3)
    expect(program.said()).toMatch(/no live stream ac6fdb8f-2d43-4c37-a10b-5fbeb53f0b1f/)
    expect(program.said()).toContain('CONNECTOR_LIVE_STREAM_ID')
    expect(program.said()).not.toContain(simulator.token)
  })

  test('exits with 1 for a corrupt state, with a message that says what to do', async () => {
    const simulator = await startSimulator()
    const directory = await temporaryFolder()
    await writeFile(
      join(directory, `${simulator.connectorId}.sqlite`),
      'no database at all, not even a little',
    )
    const program = runProgram('./crash-child.ts', {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: directory,
      CRASH_TARGET: 'http://127.0.0.1:9/',
    })
    expect(await program.exit).toBe(1)
    expect(program.said()).toMatch(/is damaged or not a connector state/)
  })

  test('waits for a platform that is down at the start', async () => {
    const simulator = await startSimulator()
    await simulator.faults.takePlatformDown()
    const recorder = makeRecorder(simulator)
    const started = recorder.start()
    await until('a line that says so', () =>
      recorder.lines.some(
        ({ level, message }) => level === 'warn' && /platform is not available yet/.test(message),
      ),
    )
    expect(recorder.status().state).toBe('starting')
    await simulator.faults.bringPlatformUp()
    await started
    await proveReading(simulator, recorder)
  })

  test('waits for a target that is not ready at the start', async () => {
    const simulator = await startSimulator()
    const recorder = makeRecorder(simulator)
    let checks = 0
    Object.assign(recorder, {
      check: () => {
        if (++checks < 3) throw new Error('the SIEM does not answer')
      },
    })
    await recorder.start()
    expect(checks).toBe(3)
    await proveReading(simulator, recorder)
  })
})
