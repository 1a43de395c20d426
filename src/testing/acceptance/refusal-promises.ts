import { type DeadLetterSummary } from '../../dead-letters/dead-letters.ts'
import { systemClock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'
import { AcceptanceFailure } from './acceptance-failure.ts'
import { isKeysOnly, type AcceptancePromise, type Trial } from './acceptance-promise.ts'
import { type AcceptanceStage } from './acceptance-stage.ts'
import { type HistoryEntity } from './platform-history.ts'
import { marksOf } from './marks-of.ts'
import { type Exchange } from './target-proxy.ts'

const letterPatienceMs = 2000
const tooLong = 'far too long '

/** Promises about what a target refuses for good. */
export const refusalPromises: readonly AcceptancePromise[] = [
  {
    name: 'puts aside what the target refuses with 422, and goes on; a replay delivers it',
    whyNot: noSingles,
    async try(trial) {
      const { stage } = trial
      const marks: string[] = []
      let refusals = 0
      stage.proxy!.trouble = (exchange) => {
        if (!isAbout(exchange, marks)) return undefined
        refusals++
        return { kind: 'answer', status: 422 }
      }
      stage.start()
      await stage.settle()
      const refused = [0, 1].map(() => createSpared(trial))
      for (const { last } of refused) marks.push(...marksOf(last, stage.simulator.entities()))
      await stage.history.change(stage.size / 2)
      await stage.settle()
      if (refusals === 0)
        return { isTried: false, why: 'nothing in its requests tells which entity they are about' }
      await expectLetters(stage, refused, 'refuses with 422')
      await replayAll(trial)
    },
  },
  {
    name: 'puts aside what is too large for the target (413), and delivers the rest',
    whyNot: noSingles,
    async try(trial) {
      const { stage } = trial
      let largest = 0
      stage.proxy!.trouble = ({ bytes }) => void (largest = Math.max(largest, bytes))
      stage.start()
      await stage.settle()
      largest = 0
      createSpared(trial)
      await stage.settle()
      const limit = 4 * largest
      let refusals = 0
      const large: HistoryEntity[] = []
      stage.proxy!.trouble = (exchange) => {
        if (exchange.bytes <= limit) return undefined
        refusals++
        if (large.length === 0 && exchange.text().includes(tooLong)) large.push(entity)
        return { kind: 'answer', status: 413 }
      }
      const entity = createSpared(trial, { description: tooLong.repeat(limit / 4) })
      await stage.history.change(stage.size)
      await stage.settle()
      if (refusals === 0)
        return { isTried: false, why: 'neither a batch nor a long description makes a request too large' }
      await expectLetters(stage, large, 'answers with 413')
      await replayAll(trial)
    },
  },
]

function noSingles({ stage: { proxy }, about: { hooks, hasLists } }: Trial): string | undefined {
  if (proxy === undefined) return 'the target has no address, so nothing can stand in between'
  if (!proxy.isHttp) return 'the target does not speak HTTP, so nothing can answer in its place'
  return hasLists || hooks.includes('replaceAll') ? 'the target takes whole lists only' : undefined
}

/** Creates an entity that is all about itself, and to which nothing else happens. */
function createSpared({ stage, kinds }: Trial, options: Record<string, unknown> = {}): HistoryEntity {
  const own = kinds.filter(({ sharedValues, type }) => sharedValues === undefined && type !== 'relationship')
  const entity = stage.history.create(own[Math.floor(stage.random() * own.length)] ?? kinds[0], options)
  entity.isSpared = true
  return entity
}

function isAbout(exchange: Exchange, marks: readonly string[]): boolean {
  if (marks.length === 0) return false
  const text = exchange.text()
  return marks.some((mark) => text.includes(mark))
}

/** Only these entities have dead letters. */
async function expectLetters(
  stage: AcceptanceStage,
  refused: readonly HistoryEntity[],
  what: string,
): Promise<void> {
  const letters = await lettersOnce(stage, ({ length }) => length > 0 || refused.length === 0)
  const ids = new Set(refused.flatMap(({ id, last }) => [id, last.id]))
  const innocent = letters.find(({ entityId }) => !ids.has(entityId ?? ''))
  if (innocent !== undefined)
    throw new AcceptanceFailure(
      `The target ${what}, and an entity that it would take became a dead letter: ` +
        `${innocent.entityId ?? 'nobody knows which'}: ${innocent.error}`,
    )
  if (letters.length === 0 && refused.length > 0)
    throw new AcceptanceFailure(
      `The target ${what}, and the connector made no dead letter: nobody would ever know. Do the hooks let errors through?`,
    )
}

/** The dead letters, once they are as expected: they are written a moment after the event has ended. */
async function lettersOnce(
  stage: AcceptanceStage,
  isExpected: (letters: readonly DeadLetterSummary[]) => boolean,
): Promise<readonly DeadLetterSummary[]> {
  const untilMs = systemClock.monotonic() + letterPatienceMs
  for (;;) {
    const letters = await stage.deadLetters()
    if (isExpected(letters) || systemClock.monotonic() > untilMs) return letters
    await delay(systemClock, 50)
  }
}

/** Once the target takes everything, what was put aside is delivered. */
async function replayAll(trial: Trial): Promise<void> {
  const { stage } = trial
  stage.proxy!.trouble = undefined
  await stage.replay()
  await stage.settle()
  const [letter] = await lettersOnce(stage, (letters) => letters.length === 0)
  if (letter !== undefined)
    throw new AcceptanceFailure(
      `The target takes everything again, and a replayed dead letter of ${letter.entityId ?? 'an entity'} still fails: ${letter.error}`,
    )
  await stage.expectAsPlatform(isKeysOnly(trial))
}
