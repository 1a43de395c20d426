import { describe, expect, it } from 'vitest'
import { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { ClaimedItems } from '../../src/items/claimed-items.ts'
import { Claims } from '../../src/items/claims.ts'
import { HookRunner } from '../../src/target/hook-runner.ts'
import { PerhapsPushed } from '../../src/id-map/perhaps-pushed.ts'
import { PushedEntities } from '../../src/id-map/pushed-entities.ts'
import { StixIdRecords } from '../../src/id-map/stix-id-records.ts'
import { TargetIds } from '../../src/id-map/target-ids.ts'
import { type ConnectorHooks } from '../../src/contract/hooks.ts'
import { delivered, type Outcome } from '../../src/events/event-counters.ts'
import { PendingEvent } from '../../src/events/pending-event.ts'
import { Operation, type OperationKind } from '../../src/events/operation.ts'
import { type Position } from '../../src/util/position.ts'
import { deliverySchema } from '../../src/settings/schemas/delivery-schema.ts'
import { type DeliveryOptions } from '../../src/settings/schemas/delivery-options.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { asEntity } from '../../src/stix/types/entity.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

interface DeskOptions {
  readonly hooks?: Partial<ConnectorHooks>
  readonly delivery?: Partial<DeliveryOptions>
  readonly mapIsComplete?: boolean
}

/** A runner over a real checkpointer, before hooks that write down how they were called. */
async function desk({ hooks = {}, delivery = {}, mapIsComplete = true }: DeskOptions = {}) {
  const clock = new ManualClock()
  const store = new MemoryStore()
  await store.open('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
  const checkpointer = new Checkpointer({
    store,
    clock,
    random: () => 0,
    onNotice: () => {},
  })
  const log: string[] = []
  const stopped = new AbortController()
  const settings = { ...deliverySchema.parse({}), ...delivery }
  const idMap = new PushedEntities({
    delivery: settings,
    checkpointer,
    stixIdRecords: new StixIdRecords(checkpointer),
    perhapsPushed: new PerhapsPushed(() => {}),
    targetIds: new TargetIds(),
    progress: { mapIsComplete, newestTold: undefined },
  })
  const runner = new HookRunner({
    hooks: {
      transform: (entity) => entity.id,
      create: (item, context) => {
        log.push(`create ${String(item)} ${context.externalId ?? '-'}`)
        return 'T1'
      },
      update: (item, context) => {
        log.push(`update ${String(item)} ${context.externalId ?? '-'}`)
      },
      delete: (context) => {
        log.push(`delete ${context.entityId} ${context.externalId ?? '-'} ${context.reason ?? '-'}`)
      },
      ...hooks,
    },
    delivery: settings,
    checkpointer,
    clock,
    logger: silentLogger,
    stopped: stopped.signal,
    idMap,
    items: new ClaimedItems({
      claims: new Claims(store, checkpointer, { holdsItems: false }),
      combine: undefined,
      tellsChanges: true,
      targetIds: idMap.targetIds,
      hasIdMap: true,
      progress: { mapIsComplete: true, isRebuilding: false },
      logger: silentLogger,
    }),
    features: [idMap],
  })
  return { runner, checkpointer, clock, log, stopped }
}

let lastMs = 1000

function operation(
  kind: OperationKind,
  options: { position?: Position | undefined; caughtUp?: boolean; key?: string } = {},
): Operation {
  const key = options.key ?? 'a'
  const entity = asEntity({ id: `indicator--${key}`, type: 'indicator' })!
  const position = 'position' in options ? options.position : { ms: lastMs++, seq: 0 }
  const envelope = options.caughtUp === true ? { data: entity } : { data: entity, type: kind }
  const event = { name: kind, position, entity, key, isDependency: false, envelope, bytes: 10 }
  const made = new PendingEvent(event, {
    settle: () => {},
    shrink: () => {},
  })
  return new Operation(kind, made, entity, key, kind === 'delete' ? 'deleted' : undefined)
}

const skipped = (reason: string): Outcome => ({ kind: 'skipped', reason })

describe('the id map', () => {
  it('turns new entities into a create and known ones into an update, whatever the event says', async () => {
    const { runner, log } = await desk()
    expect(await runner.deliver(operation('update'))).toBe(delivered)
    expect(await runner.deliver(operation('create'))).toBe(delivered)
    expect(await runner.deliver(operation('delete'))).toBe(delivered)
    expect(await runner.deliver(operation('update'))).toBe(delivered)
    expect(log).toEqual([
      'create indicator--a -',
      'update indicator--a T1',
      'delete indicator--a T1 deleted',
      'create indicator--a -',
    ])
  })

  it('leaves the decision to the event if there is none', async () => {
    const { runner, log } = await desk({
      delivery: { idMap: false },
      hooks: { create: () => void log.push('create') },
    })
    await runner.deliver(operation('update'))
    await runner.deliver(operation('create'))
    await runner.deliver(operation('delete'))
    expect(log.map((line) => line.split(' ')[0])).toEqual(['update', 'create', 'delete'])
  })

  it('skips what was delivered before a crash, but nothing of a catch-up', async () => {
    const { runner, log } = await desk()
    const position = { ms: 5000, seq: 3 }
    await runner.deliver(operation('create', { position }))
    expect(await runner.deliver(operation('create', { position }))).toEqual(skipped('already-delivered'))
    const older = { ms: 4999, seq: 9 }
    expect(await runner.deliver(operation('update', { position: older }))).toEqual(
      skipped('already-delivered'),
    )
    expect(await runner.deliver(operation('update', { position: { ms: 5000, seq: 10 } }))).toBe(delivered)
    expect(await runner.deliver(operation('create', { position: older, caughtUp: true }))).toBe(delivered)
    expect(await runner.deliver(operation('update', { position: undefined }))).toBe(delivered)
    expect(log).toHaveLength(4)
  })

  it('skips a delete of what was never pushed, but only if it knows everything', async () => {
    const complete = await desk()
    expect(await complete.runner.deliver(operation('delete'))).toEqual(skipped('never-pushed'))
    expect(complete.log).toEqual([])
    for (const options of [{ mapIsComplete: false }, { delivery: { idMap: false } }]) {
      const { runner, log } = await desk(options)
      expect(await runner.deliver(operation('delete'))).toBe(delivered)
      expect(log).toEqual(['delete indicator--a - deleted'])
    }
  })
})

describe('find', () => {
  it('turns an entity that the target already has into an update', async () => {
    const { runner, log } = await desk({ hooks: { find: () => 4711 } })
    await runner.deliver(operation('create'))
    await runner.deliver(operation('delete'))
    expect(log).toEqual(['update indicator--a 4711', 'delete indicator--a 4711 deleted'])
  })

  it('is not asked for known entities, and its empty answer means a create', async () => {
    let asked = 0
    const find = () => {
      asked++
      return undefined
    }
    const { runner, log } = await desk({ hooks: { find } })
    await runner.deliver(operation('create'))
    await runner.deliver(operation('update'))
    expect(asked).toBe(1)
    expect(log).toEqual(['create indicator--a -', 'update indicator--a T1'])
  })
})

describe("the target's answer", () => {
  it('of 404 to an update makes a create, and its id is remembered', async () => {
    let isLost = false
    let ids = 0
    const { runner, checkpointer } = await desk({
      hooks: {
        create: () => ++ids,
        update: () => {
          if (isLost) throw errorWithStatus(404)
        },
      },
    })
    await runner.deliver(operation('create'))
    isLost = true
    expect(await runner.deliver(operation('update'))).toBe(delivered)
    expect(await checkpointer.state.entity('a')).toMatchObject({ externalId: '2' })
  })

  it('of 409 to a create or 404 to a delete counts as success, by option', async () => {
    const hooks: Partial<ConnectorHooks> = {
      create: () => {
        throw errorWithStatus(409)
      },
      update: () => {},
      delete: () => {
        throw errorWithStatus(404)
      },
    }
    const { on } = deliverySchema.parse({})
    const lenient = await desk({ hooks })
    expect(await lenient.runner.deliver(operation('create'))).toBe(delivered)
    expect(await lenient.runner.deliver(operation('delete'))).toBe(delivered)
    expect(await lenient.checkpointer.state.entity('a')).toBeUndefined()
    const strict = await desk({
      hooks,
      mapIsComplete: false,
      delivery: { on: { ...on, createExisting: 'dead-letter', deleteMissing: 'dead-letter' } },
    })
    await expect(strict.runner.deliver(operation('create'))).rejects.toMatchObject({
      code: 'PERMANENT',
      cause: { status: 409 },
    })
    await expect(strict.runner.deliver(operation('delete'))).rejects.toMatchObject({ status: 404 })
  })

  it('of a failure leaves nothing remembered', async () => {
    const { runner, checkpointer } = await desk({
      hooks: {
        create: () => {
          throw errorWithStatus(503)
        },
      },
    })
    await expect(runner.deliver(operation('create'))).rejects.toMatchObject({ status: 503 })
    expect(await checkpointer.state.entity('a')).toBeUndefined()
  })

  it("of something that is not an id is the hook's mistake, not an id", async () => {
    for (const id of [{ id: 7 }, true, [1], () => {}]) {
      const { runner, checkpointer } = await desk({ hooks: { create: () => id as unknown as string } })
      await expect(runner.deliver(operation('create'))).rejects.toMatchObject({ code: 'HOOK_RESULT' })
      expect(await checkpointer.state.entity('a')).toBeUndefined()
    }
  })
})

describe('an author', () => {
  it('skips an event by returning nothing from transform', async () => {
    for (const nothing of [undefined, null]) {
      const { runner, log } = await desk({ hooks: { transform: () => nothing as undefined } })
      expect(await runner.deliver(operation('create'))).toEqual(skipped('transform'))
      expect(log).toEqual([])
    }
    const { runner } = await desk({ hooks: { transform: () => 0 } })
    expect(await runner.deliver(operation('create'))).toBe(delivered)
  })

  it('withdraws an entity by returning nothing from transform, and brings it back by returning it again', async () => {
    let isWanted = true
    const transform = (entity: { id: string }) => (isWanted ? entity.id : undefined)
    const { runner, checkpointer, log } = await desk({ hooks: { transform } })
    await runner.deliver(operation('create'))
    isWanted = false
    const withdrawal = operation('update')
    expect(await runner.deliver(withdrawal)).toBe(delivered)
    expect(withdrawal).toMatchObject({ kind: 'delete', reason: 'left-filter' })
    expect(await checkpointer.state.entity('a')).toBeUndefined()
    expect(await runner.deliver(operation('update'))).toEqual(skipped('transform'))
    expect(await runner.deliver(operation('delete'))).toEqual(skipped('never-pushed'))
    isWanted = true
    expect(await runner.deliver(operation('update'))).toBe(delivered)
    expect(log).toEqual([
      'create indicator--a -',
      'delete indicator--a T1 left-filter',
      'create indicator--a -',
    ])
  })

  it('withdraws in a batch too, and a retried item stays the same', async () => {
    const seen: string[] = []
    let answer = 'retry' as 'retry' | 'ok'
    const { runner, checkpointer } = await desk({
      hooks: {
        transform: () => undefined,
        flush: (operations) => {
          for (const { kind, item, context } of operations)
            seen.push(`${kind} ${String(item)} ${context.externalId} ${context.reason}`)
          return [answer]
        },
      },
    })
    checkpointer.putEntity({ key: 'a', stixId: 'indicator--a', externalId: 'T7' })
    const withdrawal = operation('update')
    for (const next of ['retry', 'ok'] as const) {
      answer = next
      expect(await runner.deliver(withdrawal)).toBeUndefined()
      expect((await runner.flush([withdrawal]))[0]!.status).toBe(next)
    }
    expect(seen).toEqual(Array.from({ length: 2 }, () => 'delete undefined T7 left-filter'))
    expect(await checkpointer.state.entity('a')).toBeUndefined()
  })

  it('withdraws nothing without a delete hook or an id map, because what was pushed is unknown', async () => {
    const hooks = { transform: () => undefined }
    const without = await desk({ hooks: { ...hooks, delete: undefined } as never })
    without.checkpointer.putEntity({ key: 'a', stixId: 'indicator--a' })
    expect(await without.runner.deliver(operation('update'))).toEqual(skipped('no-delete-hook'))
    // It is still there.
    expect(await without.checkpointer.state.entity('a')).toBeDefined()
    const { runner, log } = await desk({ hooks, delivery: { idMap: false } })
    expect(await runner.deliver(operation('update'))).toEqual(skipped('transform'))
    expect(log).toEqual([])
  })

  it('can throw anything, and it is passed on unchanged', async () => {
    for (const thrown of ['text', undefined, null, 7]) {
      const { runner } = await desk({
        hooks: {
          create: () => {
            throw thrown
          },
        },
      })
      await expect(runner.deliver(operation('create'))).rejects.toBe(thrown)
    }
  })

  it('gets items in a batch, and only what the target accepted is remembered', async () => {
    const seen: string[] = []
    const { runner, checkpointer } = await desk({
      hooks: {
        flush: (operations) => {
          for (const { kind, item, context } of operations) {
            seen.push(`${kind} ${String(item)} ${context.externalId ?? '-'}`)
          }
          return [{ status: 'ok', externalId: 9 }, 'retry', 'ok']
        },
      },
    })
    checkpointer.putEntity({ key: 'c', stixId: 'indicator--c', externalId: 'T7' })
    const batch = [operation('create'), operation('create', { key: 'b' }), operation('delete', { key: 'c' })]
    for (const each of batch) expect(await runner.deliver(each)).toBeUndefined()
    const answers = await runner.flush(batch)
    expect(answers.map((answer) => answer.status)).toEqual(['ok', 'retry', 'ok'])
    expect(seen).toEqual(['create indicator--a -', 'create indicator--b -', 'delete undefined T7'])
    expect(await checkpointer.state.entity('a')).toMatchObject({ externalId: '9' })
    expect(await checkpointer.state.entity('b')).toBeUndefined()
    expect(await checkpointer.state.entity('c')).toBeUndefined()
  })
})

describe('a hook that takes too long', () => {
  it('sees its signal aborted, and fails with HOOK_TIMEOUT after it has ended', async () => {
    let signal: AbortSignal | undefined
    const { runner, clock } = await desk({
      delivery: { hookTimeoutMs: 1000 },
      hooks: {
        create: (_, context) => {
          signal = context.signal
          return new Promise<string>((_resolve, reject) => {
            context.signal.addEventListener('abort', () =>
              clock.schedule(5000, () => reject(context.signal.reason as Error)),
            )
          })
        },
      },
    })
    let error: unknown
    void Promise.resolve(runner.deliver(operation('create'))).catch((thrown: unknown) => (error = thrown))
    await clock.advance(999)
    expect(signal?.aborted).toBe(false)
    await clock.advance(1)
    expect(signal?.aborted).toBe(true)
    await clock.advance(4999)
    expect(error).toBeUndefined()
    await clock.advance(1)
    expect(error).toMatchObject({ code: 'HOOK_TIMEOUT' })
    expect(clock.pending).toBe(0)
  })

  it('counts as done if it succeeds after all, however late', async () => {
    const { runner, clock } = await desk({
      delivery: { hookTimeoutMs: 1000 },
      hooks: { create: () => new Promise<string>((resolve) => clock.schedule(9000, () => resolve('late'))) },
    })
    const result = runner.deliver(operation('create'))
    await clock.advance(9200)
    expect(await result).toBe(delivered)
    expect(clock.pending).toBe(0)
  })

  it('takes as long as it likes without a limit, until the connector gives up', async () => {
    let signal: AbortSignal | undefined
    const { runner, clock, stopped } = await desk({
      hooks: {
        create: (_, context) => {
          signal = context.signal
          return new Promise<string>((_resolve, reject) => {
            context.signal.addEventListener('abort', () => reject(context.signal.reason as Error))
          })
        },
      },
    })
    const result = Promise.resolve(runner.deliver(operation('create'))).catch((error: unknown) => error)
    await clock.advance(86_400_000)
    expect(signal?.aborted).toBe(false)
    stopped.abort(new Error('given up'))
    expect(await result).toMatchObject({ message: 'given up' })
  })

  it('in a batch sees the signal of its items aborted', async () => {
    const signals: AbortSignal[] = []
    const { runner, clock } = await desk({
      delivery: { hookTimeoutMs: 1000 },
      hooks: {
        flush: (operations) => {
          for (const { context } of operations) signals.push(context.signal)
          return new Promise<void>((_, reject) =>
            signals[0]!.addEventListener('abort', () => reject(new Error('aborted'))),
          )
        },
      },
    })
    const batch = [operation('create')]
    await runner.deliver(batch[0]!)
    const result = runner.flush(batch).catch((error: unknown) => error)
    await clock.advance(1500)
    expect(await result).toMatchObject({ code: 'HOOK_TIMEOUT' })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })
})
