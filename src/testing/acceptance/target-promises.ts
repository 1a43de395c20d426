import { AcceptanceFailure } from './acceptance-failure.ts'
import { isKeysOnly, type AcceptancePromise, type Trial } from './acceptance-promise.ts'
import { type AcceptanceStage } from './acceptance-stage.ts'
import { textOf } from './describe-difference.ts'
import { type Happening } from './platform-history.ts'
import { type Exchange, type Mishap } from './target-proxy.ts'

const noAddress = ({ stage: { proxy } }: Trial) =>
  proxy === undefined ? 'the target has no address, so that no proxy can stand in between' : undefined

const noHttp = (trial: Trial) =>
  noAddress(trial) ??
  (trial.stage.proxy!.isHttp
    ? undefined
    : 'the target does not speak HTTP, so that nobody can answer in its place')

/** What never makes an entity what it was before. */
const onward: readonly Happening[] = ['create', 'update', 'rename', 'delete', 'merge']

/** Promises about a target that has bad days. */
export const targetPromises: readonly AcceptancePromise[] = [
  {
    name: 'waits while the target is away and catches up',
    whyNot: noAddress,
    async try(trial) {
      const { stage } = trial
      const proxy = stage.proxy!
      stage.start()
      await untilItRuns(stage)
      for (let time = 0; time < 2; time++) {
        const { exchanges } = proxy
        await stage.history.change(stage.size / 4)
        await stage.until(
          () => proxy.exchanges > exchanges,
          () => 'The connector did not ask the target, although something has changed at the platform.',
        )
        const { retries } = (await stage.status())!
        await proxy.goAway()
        await stage.history.change(stage.size / 2)
        await expectPatience(stage, retries)
        await proxy.comeBack()
      }
      await stage.expectAsPlatform(isKeysOnly(trial))
    },
  },
  {
    name: 'survives a slow target',
    whyNot: noAddress,
    async try(trial) {
      const { stage } = trial
      // Every other one is slow, so that what comes after it would overtake it.
      stage.proxy!.trouble = ({ number }) => ({ kind: 'delay', ms: number % 2 === 0 ? 50 : 5 })
      stage.start()
      await stage.settle()
      await stage.history.change(stage.size / 2, onward)
      // Several in a row, which come in a wrong order when nobody waits for the answers.
      for (const entity of stage.history.entities
        .filter(({ isGone, isOutside }) => !isGone && !isOutside)
        .slice(-6))
        for (let time = 0; time < 6; time++) await stage.history.make('update', entity)
      await stage.settle()
      if (!trial.holdsValues) expectOnward(await stage.writes())
      await stage.expectAsPlatform(isKeysOnly(trial))
    },
  },
  {
    name: 'goes on after cut connections and lost answers',
    whyNot: noAddress,
    async try(trial) {
      const kinds = ['cut', 'half-answer', 'lost-answer'] as const
      await tryMishaps(trial, (luck) => ({ kind: kinds[Math.floor(luck * kinds.length)]! }))
    },
  },
  {
    name: 'goes on after 429 with Retry-After, 500, 503 and a conflict of 409',
    whyNot: noHttp,
    async try(trial) {
      const answers: readonly Mishap[] = [
        { kind: 'answer', status: 429, headers: { 'retry-after': '1' } },
        { kind: 'answer', status: 500 },
        { kind: 'answer', status: 503 },
      ]
      // A gateway tried it twice: the target has done it, and says so.
      const conflict: Mishap = { kind: 'answer', status: 409, isDone: true }
      await tryMishaps(trial, (luck, exchange) => {
        const choice = isRead(exchange) ? answers : [...answers, conflict]
        return choice[Math.floor(luck * choice.length)]!
      })
    },
  },
]

/** Changes nothing at the target, so it conflicts with nothing there. */
function isRead({ method }: Exchange): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** The texts of a history, each with a number that is greater than those before. */
const numbered = /(?:wave-|Renamed |Description )(\d+)/g

/** No key went back to an older content, by the numbers in it. */
function expectOnward(writes: readonly (readonly [string, unknown])[] | undefined): void {
  const newest = new Map<string, number>()
  for (const [key, content] of writes ?? []) {
    const numbers = [...JSON.stringify(content ?? '').matchAll(numbered)].map(([, number]) => Number(number))
    if (numbers.length === 0) continue
    const number = Math.max(...numbers)
    if (number < (newest.get(key) ?? 0))
      throw new AcceptanceFailure(
        `${key} went back to an older content: ${textOf(content)} came after a newer one. Does every hook wait for its calls?`,
      )
    newest.set(key, number)
  }
}

/** Share of requests that go wrong. */
const mishapShare = 0.2

/** Share of pieces that go wrong where the protocol is not HTTP: it may take dozens of them to log in and do something. */
const pieceMishapShare = 0.03

/** A target that is asked rarely has few of them. */
const enoughMishaps = 5
const maxRounds = 10

async function tryMishaps(trial: Trial, choose: (luck: number, exchange: Exchange) => Mishap): Promise<void> {
  const { stage } = trial
  const proxy = stage.proxy!
  const share = proxy.isHttp ? mishapShare : pieceMishapShare
  let mishaps = 0
  stage.start()
  await untilItRuns(stage)
  proxy.trouble = (exchange) => {
    if (stage.random() >= share) return undefined
    mishaps++
    return choose(stage.random(), exchange)
  }
  for (let round = 0; round < maxRounds; round++) {
    if (mishaps >= enoughMishaps) break
    await stage.history.change(stage.size / 2)
    await stage.settle()
  }
  proxy.trouble = undefined
  await stage.replay()
  await stage.history.change(stage.size / 8)
  await stage.expectAsPlatform(isKeysOnly(trial))
}

/** Before that, the connector only asks whether the target is ready, and waits longer after each failure. */
async function untilItRuns(stage: AcceptanceStage): Promise<void> {
  await stage.until(
    async () => (await stage.status())?.state === 'running',
    () => 'The connector does not run, although the target is there.',
  )
}

/** While the target is away, the connector neither ends nor gives anything up. */
async function expectPatience(stage: AcceptanceStage, before: number): Promise<void> {
  await stage.until(
    async () => {
      const status = await stage.status()
      return status !== undefined && (status.outage !== undefined || status.retries > before)
    },
    () =>
      'No call failed while the target was away. Do the hooks wait for the target, and let its errors through?',
  )
  const letters = await stage.deadLetters()
  if (letters.length > 0)
    throw new AcceptanceFailure(
      `The connector gave up ${letters.length} events while the target was away: ${letters[0]!.error}`,
    )
}
