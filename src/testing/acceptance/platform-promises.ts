import { systemClock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'
import { AcceptanceFailure } from './acceptance-failure.ts'
import { isKeysOnly, type AcceptancePromise, type Trial } from './acceptance-promise.ts'
import { type AcceptanceStage } from './acceptance-stage.ts'
import { type Contents } from './contents.ts'
import { type EntityKind } from './entity-kind.ts'
import { type Happening, type HistoryEntity } from './platform-history.ts'

/** Promises about what happens at the platform, and to the process. */
export const platformPromises: readonly AcceptancePromise[] = [
  {
    name: 'has what the platform has after the catch-up',
    async try(trial) {
      trial.stage.start()
      await trial.stage.expectAsPlatform()
    },
  },
  {
    name: 'follows creates, updates, deletes, merges, filter exits and expiry',
    async try(trial) {
      const { stage } = trial
      const { history, size } = stage
      stage.start()
      await expectCreatesAndUpdates(trial)
      await history.change(size)
      await expectDeletes(trial)
      for (const happening of [
        'create',
        'merge',
        'leave',
        'return',
        'revoke',
        'create',
        'merge',
        'leave',
        'expire',
      ] as const)
        for (let count = 0; count < 3; count++) await history.make(happening)
      const doomed = await createDoomed(stage)
      await stage.settle()
      await takeAway(stage, doomed)
      await stage.expectAsPlatform(isKeysOnly(trial))
    },
  },
  {
    name: 'loses nothing when it is killed at random moments',
    async try(trial) {
      const { stage } = trial
      const { history, size } = stage
      let killed = 0
      let atWork = 0
      stage.start()
      while (killed < stage.kills) {
        if (killed % startingEvery === startingEvery - 1) await startingMoment(stage)
        else {
          await momentAtWork(stage)
          atWork++
        }
        await stage.kill()
        killed++
        await history.change(size / 8)
        stage.start()
      }
      await stage.expectAsPlatform(isKeysOnly(trial))
      return {
        isTried: true,
        note: `Kills: ${killed}, of which ${atWork} at work and ${killed - atWork} during the start.`,
      }
    },
  },
  {
    name: 'finds its way when the state folder is lost',
    async try(trial) {
      const { stage, holdsValues } = trial
      const { history, size } = stage
      stage.start()
      await history.change(size / 2)
      const [meanwhile, afterwards] = [await createDoomed(stage), await createDoomed(stage)]
      await stage.settle()
      await stage.stop()
      await stage.loseState()
      // Of values that nothing names any more, nobody tells.
      await history.change(size / 2, holdsValues ? ['create', 'update', 'rename'] : undefined)
      if (!holdsValues) await takeAway(stage, meanwhile)
      stage.start()
      await stage.settle()
      await history.change(size / 2)
      await takeAway(stage, afterwards)
      await stage.expectAsPlatform(isKeysOnly(trial))
    },
  },
  {
    name: 'stops in the middle and resumes',
    async try(trial) {
      const { stage } = trial
      for (let stop = 0; stop < 2; stop++) {
        stage.start()
        await momentAtWork(stage)
        await stage.stop()
        await stage.history.change(stage.size / 4)
      }
      stage.start()
      await stage.expectAsPlatform(isKeysOnly(trial))
    },
  },
]

/**
 * Creates and updates show at the target. By chance, what changes could be of kinds that `read` does not return: so every kind has its
 * turn, until one shows.
 */
async function expectCreatesAndUpdates(trial: Trial): Promise<void> {
  const { stage } = trial
  const before = await look(stage)
  const made: HistoryEntity[] = []
  const kinds = fromAnywhere(trial)
  const makeSome = async () => {
    for (const kind of kinds.splice(0, Math.ceil(stage.size / 2)))
      made.push(await stage.history.createWithin(kind))
    return look(stage)
  }
  const hasNew = ({ entries }: Contents) => [...entries.keys()].some((key) => !before.entries.has(key))
  let created = before
  while (kinds.length > 0 && !hasNew(created)) created = await makeSome()
  if (!hasNew(created))
    throw new AcceptanceFailure(
      `${made.length} new entities brought nothing new to the target, as read() tells it.`,
    )
  let updated = created
  while (made.length > 0 && updated.equals(created)) {
    for (const entity of made.splice(0))
      for (const happening of ['update', 'rate', 'rename', 'reword'] as const)
        await stage.history.make(happening, entity)
    updated = await look(stage)
    if (updated.equals(created) && kinds.length > 0) updated = created = await makeSome()
  }
  if (!isKeysOnly(trial) && updated.equals(created))
    throw new AcceptanceFailure(
      `All updates (names, patterns, descriptions, labels, scores, markings) changed nothing at the target, as read() tells it. ` +
        'If the connector passes any of that on, let read() return it; a connector that only creates and deletes leaves out update().',
    )
}

async function look(stage: AcceptanceStage): Promise<Contents> {
  await stage.settle()
  return stage.read()
}

/** The kinds that the connector takes, beginning with one by chance. */
function fromAnywhere({ kinds, stage }: Trial): EntityKind[] {
  const first = Math.floor(stage.random() * kinds.length)
  return [...kinds.slice(first), ...kinds.slice(0, first)]
}

/** What is taken away by chance may not be at the target any more. These are, once the connector has settled. */
async function createDoomed({ history }: AcceptanceStage): Promise<ReadonlyMap<Happening, HistoryEntity>> {
  const doomed = new Map<Happening, HistoryEntity>()
  for (const happening of ['merge', 'leave', 'revoke', 'expire'] as const) {
    const entity = await history.createFor(happening)
    if (entity !== undefined) doomed.set(happening, entity)
  }
  return doomed
}

async function takeAway(
  { history }: AcceptanceStage,
  doomed: ReadonlyMap<Happening, HistoryEntity>,
): Promise<void> {
  for (const [happening, entity] of doomed) await history.make(happening, entity)
}

async function expectDeletes({ stage, history: { without = [] } }: Trial): Promise<void> {
  if (without.includes('delete')) return
  const before = await look(stage)
  const alive = stage.history.entities.filter(({ isGone }) => !isGone)
  for (const entity of alive.filter((_, index) => index % 2 === 0)) await stage.history.make('delete', entity)
  const after = await look(stage)
  if ([...before.entries.keys()].every((key) => after.entries.has(key)))
    throw new AcceptanceFailure(
      `${Math.ceil(alive.length / 2)} deleted entities took nothing away from the target, as read() tells it. ` +
        'If they are only marked as gone there, let read() leave them out.',
    )
}

/** One kill in so many hits a connector that starts. */
const startingEvery = 4
const maxStartingMs = 500

/** Lets the connector start, but not always to the end. */
function startingMoment({ random }: AcceptanceStage): Promise<void> {
  return delay(systemClock, random() * maxStartingMs)
}

/**
 * Waits for the connector to receive something, and lets it work until some of what happens is done: after the next few exchanges
 * with the target, or a short while.
 */
async function momentAtWork(stage: AcceptanceStage): Promise<void> {
  const { history, proxy, random, size } = stage
  // Before it receives something it may not even be loaded, which takes seconds on a busy machine.
  history.touch(`Touched after ${stage.simulator.lastEventId}`)
  await stage.until(
    async () => ((await stage.status())?.received ?? 0) > 0,
    () => 'The connector received nothing.',
  )
  const goal = (proxy?.exchanges ?? 0) + 1 + Math.floor(random() * size)
  const untilMs = systemClock.monotonic() + 100 + random() * 700
  const isOver = () => systemClock.monotonic() >= untilMs || (proxy !== undefined && proxy.exchanges >= goal)
  await history.change(size / 4)
  while (!isOver()) await delay(systemClock, 2)
}
