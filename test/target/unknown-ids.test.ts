import { expect, onTestFinished, test } from 'vitest'
import {
  MemoryStore,
  PermanentError,
  StreamConnector,
  entityKeyOf,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type Outcome,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { silentLogger } from '../../src/util/logger.ts'
import { fastClock } from '../fixtures/fast-clock.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

/** Holds one entry for each pattern, under ids of its own, and says 409 and 404 as most targets do. */
class Target {
  readonly entries = new Map<string, Entity>()
  readonly requests: string[] = []
  /** Whether a delete of what is not there is answered as one that worked. */
  deletesAnything = false
  #count = 0

  find(pattern: string): string | undefined {
    return [...this.entries].find(([, entry]) => patternOf(entry) === pattern)?.[0]
  }

  create(entity: Entity, id = `t${++this.#count}`): string {
    this.requests.push('POST')
    if (this.entries.has(id) || this.find(patternOf(entity)) !== undefined) throw errorWithStatus(409)
    this.entries.set(id, entity)
    return id
  }

  update(id: string, entity: Entity): void {
    this.requests.push(`PUT ${id}`)
    if (!this.entries.has(id)) throw errorWithStatus(404)
    this.entries.set(id, entity)
  }

  delete(id: string): void {
    this.requests.push(`DELETE ${id}`)
    if (!this.entries.delete(id) && !this.deletesAnything) throw errorWithStatus(404)
  }
}

const patternOf = (entity: Entity): string => (entity.type === 'indicator' ? entity.pattern : entity.id)

interface Options extends ConnectorOptions {
  readonly target: Target
}

/** As an author writes it who read the first example only. */
class Careless extends StreamConnector {
  readonly target: Target

  constructor({ target, ...options }: Options) {
    super(options)
    this.target = target
  }
  transform(entity: Entity): Entity {
    return entity
  }
  override create(entity: Entity): string {
    return this.target.create(entity)
  }
  override update(entity: Entity, context: EventContext): void {
    this.target.update(`${context.externalId}`, entity)
  }
  override delete(context: EventContext): void {
    this.target.delete(`${context.externalId}`)
  }
}

class Finding extends Careless {
  override find(entity: Entity): string | undefined {
    return this.target.find(patternOf(entity))
  }
}

/** For a target that takes ids of ours. */
class OwnIds extends Careless {
  override create(entity: Entity): string {
    return this.target.create(entity, entity.id)
  }
  override update(entity: Entity, context: EventContext): void {
    this.target.update(context.externalId ?? entity.id, entity)
  }
  override delete(context: EventContext): void {
    this.target.delete(context.externalId ?? context.entityId)
  }
}

/** The same, by an author who never looks at the ids of the target. */
class NoIds extends OwnIds {
  override create(entity: Entity): string {
    this.target.create(entity, entity.id)
    return undefined as unknown as string
  }
  override update(entity: Entity): void {
    this.target.update(entity.id, entity)
  }
  override delete(context: EventContext): void {
    this.target.delete(context.entityId)
  }
}

const indicator = buildIndicator('ipv4', { seed: 7, name: 'v1' })
const changed = { ...indicator, name: 'v2' }

interface Life {
  say(event: string, entity?: object): Promise<string>
  readonly store: MemoryStore
  letters(): Promise<string[]>
}

/** A life of a connector: with an empty state unless it is handed one, of which it knows that it is not all. */
async function live<C extends Careless>(
  Class: new (options: Options) => C,
  target: Target,
  {
    store = new MemoryStore(),
    isLost = false,
    env = {} as Record<string, string>,
    change = (_: Careless): unknown => undefined,
  } = {},
): Promise<Life> {
  if (isLost) {
    // There was a state, and it says nothing of what was pushed.
    await store.open(minimalEnvironment.CONNECTOR_ID)
    await store.close()
  }
  const connector = new Class({
    target,
    env: { ...minimalEnvironment, CONNECTOR_RETRY_BASE_MS: '1', CONNECTOR_RETRY_MAX_MS: '1', ...env },
    store,
    clock: fastClock(),
    logger: silentLogger,
  })
  change(connector)
  onTestFinished(() => connector.stop())
  return {
    store,
    async say(event, entity = indicator) {
      const outcome = await connector.processMessage({ event, data: entity })
      return told(outcome)
    },
    async letters() {
      await connector.stop()
      await store.open(minimalEnvironment.CONNECTOR_ID)
      const letters = await store.deadLetters({ limit: 99 })
      await store.close()
      return letters.map(({ error }) => error)
    },
  }
}

const told = (outcome: Outcome): string =>
  'reason' in outcome ? `${outcome.kind}: ${outcome.reason}` : outcome.kind

test('never counts as delivered what a target has under an unknown id, and never asks it about "undefined"', async () => {
  const target = new Target()
  await (await live(Careless, target)).say('create')
  const second = await live(Careless, target)
  expect(await second.say('create')).toMatch(/^dead-lettered: .*find\(/)
  expect(await second.say('update', changed)).toMatch(/^dead-lettered: .*find\(/)
  expect(await second.say('delete')).toMatch(/^dead-lettered: .*find\(/)
  expect(await second.letters()).toHaveLength(3)
  expect(target.requests.join()).not.toContain('undefined')
})

test('learns the id from find after a 409, and sends the current state', async () => {
  const target = new Target()
  await (await live(Finding, target)).say('create')
  const second = await live(Finding, target)
  expect(await second.say('update', changed)).toBe('delivered')
  expect([...target.entries.values()]).toEqual([changed])
  expect(await second.say('delete')).toBe('delivered')
  expect(target.entries.size).toBe(0)
})

test('after a 409 asks find once more, for what came in between', async () => {
  const target = new Target()
  let asked = 0
  class Late extends Finding {
    override find(entity: Entity): string | undefined {
      return ++asked === 1 ? undefined : super.find(entity)
    }
  }
  await (await live(Careless, target)).say('create')
  expect(await (await live(Late, target)).say('create', changed)).toBe('delivered')
  expect([...target.entries.values()]).toEqual([changed])
})

test('waits for a target that cannot be searched now, as for one that is down, and takes no 409 of find for an existing entity', async () => {
  const target = new Target()
  let conflicts = 20
  class Rebuilding extends Finding {
    override find(entity: Entity): string | undefined {
      if (conflicts-- > 0) throw errorWithStatus(409)
      return super.find(entity)
    }
  }
  await (await live(Careless, target)).say('create')
  const second = await live(Rebuilding, target)
  expect(await second.say('update', changed)).toBe('delivered')
  expect([...target.entries.values()]).toEqual([changed])
  expect(await second.letters()).toEqual([])
})

test('gives up at once what find calls permanent, whatever its cause', async () => {
  class Final extends Finding {
    override find(): never {
      throw new PermanentError('there are two of them', { cause: errorWithStatus(409) })
    }
  }
  const target = new Target()
  await (await live(Careless, target)).say('create')
  const final = await live(Final, target)
  expect(await final.say('create')).toMatch(/^dead-lettered: there are two of them/)
})

test('is not a success if the target has an entity that find does not find', async () => {
  const target = new Target()
  class Blind extends Finding {
    override find(): undefined {}
  }
  await (await live(Careless, target)).say('create')
  const blind = await live(Blind, target)
  expect(await blind.say('create')).toMatch(/^dead-lettered: .*cannot be found/)
  expect(target.requests.filter((each) => each === 'POST')).toHaveLength(4)
})

test.each([OwnIds, NoIds])('works without a map if the ids are those of the entities: %o', async (Class) => {
  const target = new Target()
  const first = await live(Class, target)
  await first.say('create', buildIndicator('ipv4', { seed: 8 }))
  await first.say('create')
  await first.letters()
  target.entries.set(indicator.id, indicator)
  // The id map row is lost, not what is known of ids.
  await first.store.open(minimalEnvironment.CONNECTOR_ID)
  const keys = (await first.store.entities({ limit: 9 })).map(({ key }) => key)
  await first.store.commit({ deleteEntities: keys })
  await first.store.close()
  const second = await live(Class, target, { store: first.store })
  expect(await second.say('update', changed)).toBe('delivered')
  expect(target.entries.get(indicator.id)).toEqual(changed)
  expect(await second.say('delete')).toBe('delivered')
  expect(target.entries.has(indicator.id)).toBe(false)
})

test("withdraws by the entity's own id if everything is lost, and says so if that finds nothing", async () => {
  const target = new Target()
  target.entries.set(indicator.id, indicator)
  expect(await (await live(OwnIds, target, { isLost: true })).say('delete')).toBe('delivered')
  expect(target.entries.size).toBe(0)
  const careful = await live(OwnIds, target, { isLost: true })
  expect(await careful.say('delete')).toMatch(/^dead-lettered: .*find\(/)
})

test('does not believe a target that deletes whatever it is asked to', async () => {
  const target = new Target()
  target.create(indicator)
  target.deletesAnything = true
  const careless = await live(Careless, target, { isLost: true })
  expect(await careless.say('delete')).toMatch(/^dead-lettered: .*find\(/)
  const quiet = class extends Careless {
    override delete({ externalId }: EventContext): void {
      if (externalId !== undefined) this.target.delete(externalId)
    }
  }
  expect(await (await live(quiet, target, { isLost: true })).say('delete')).toMatch(/^dead-lettered/)
})

test('knows after a restart that the target assigns ids, and then does not even try', async () => {
  const target = new Target()
  const first = await live(Careless, target, { isLost: true })
  await first.say('create', buildIndicator('ipv4', { seed: 9 }))
  await first.letters()
  const requests = target.requests.length
  const second = await live(Careless, target, { store: first.store })
  expect(await second.say('delete')).toMatch(/^dead-lettered/)
  expect(target.requests).toHaveLength(requests)
})

test('learns from an imported id map that the target assigns ids', async () => {
  const target = new Target()
  const known = buildIndicator('ipv4', { seed: 9 })
  const id = target.create(known)
  const store = new MemoryStore()
  await store.open(minimalEnvironment.CONNECTOR_ID)
  await store.commit({ putEntities: [{ key: entityKeyOf(known), stixId: known.id, externalId: id }] })
  await store.close()
  const life = await live(Careless, target, { store })
  await life.say('update', known)
  const requests = target.requests.length
  expect(await life.say('delete')).toMatch(/^dead-lettered/)
  expect(target.requests).toHaveLength(requests)
})

test('skips the delete of what find does not find', async () => {
  const target = new Target()
  const lost = await live(Finding, target, { isLost: true })
  expect(await lost.say('delete')).toBe('skipped: not-at-target')
  expect(target.requests).toEqual([])
})

test('delivers the dead letters after the author has written find', async () => {
  const target = new Target()
  await (await live(Careless, target)).say('create')
  const second = await live(Careless, target)
  await second.say('create')
  await second.letters()
  const third = await live(Finding, target, { store: second.store })
  expect(await third.say('update', changed)).toBe('delivered')
  expect([...target.entries.values()]).toEqual([changed])
  expect(await third.say('delete')).toBe('delivered')
  expect(target.entries.size).toBe(0)
})

test('knows what find has found even without an update hook, so it can be deleted', async () => {
  const target = new Target()
  await (await live(Careless, target)).say('create')
  const second = await live(Finding, target, {
    change: (connector) => Object.assign(connector, { update: undefined }),
  })
  expect(await second.say('create')).toBe('delivered')
  expect(await second.say('update', changed)).toBe('skipped: no-update-hook')
  expect(await second.say('delete')).toBe('delivered')
  expect(target.entries.size).toBe(0)
})

test('leaves at the target what another entity has under the same id, until that goes too', async () => {
  const target = new Target()
  class Shared extends Careless {
    override create(entity: Entity): string {
      const id = this.target.find(patternOf(entity)) ?? this.target.create(entity)
      this.target.entries.set(id, entity)
      return id
    }
  }
  const one = { ...buildIndicator('ipv4', { seed: 7 }), pattern: "[ipv4-addr:value = '1.2.3.4']" }
  const other = { ...buildIndicator('ipv4', { seed: 8 }), pattern: one.pattern }
  const life = await live(Shared, target)
  await life.say('create', one)
  await life.say('create', other)
  expect(await life.say('delete', one)).toBe('skipped: shared-external-id')
  expect(target.entries.size).toBe(1)
  expect(await life.say('delete', other)).toBe('delivered')
  expect(target.entries.size).toBe(0)
})

test.each(['update', 'delete'] as const)('retries a conflict of an %s before it judges', async (hook) => {
  const target = new Target()
  let conflicts = 0
  class Conflicting extends Careless {
    override update(entity: Entity, context: EventContext): void {
      if (hook === 'update' && conflicts-- > 0) throw errorWithStatus(409)
      super.update(entity, context)
    }
    override delete(context: EventContext): void {
      if (hook === 'delete' && conflicts-- > 0) throw errorWithStatus(409)
      super.delete(context)
    }
  }
  const life = await live(Conflicting, target)
  await life.say('create')
  conflicts = 1
  expect(await life.say(hook, changed)).toBe('delivered')
  await life.say('create')
  conflicts = 99
  expect(await life.say(hook, changed)).toMatch(/^dead-lettered: status 409/)
})
