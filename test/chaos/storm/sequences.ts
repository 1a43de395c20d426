import { comparePositions, parsePosition } from 'opencti-stream-connector'
import { type Effect } from './target.ts'
import { type Version } from './versions.ts'

/** The lives in which a journal was written. */
export interface Lives {
  /** The newest event of the platform when the first stream of a life was opened. */
  readonly newestAtOpening: ReadonlyMap<number, string>
  /** Lives that began with nothing, or with a reset: what was done before may be done again, in any version. */
  readonly begunAnew: ReadonlySet<number>
}

/** Problems with the effects on single records. */
export interface SequenceProblems {
  /** Effects that match no version on the platform, or return to an older one without reason. */
  readonly disorders: readonly string[]
  /** Versions that never reached the target and are not included in a newer one. */
  readonly gaps: readonly string[]
  /** How often an event came behind the state that it led to, which had come ahead of it as a dependency. */
  readonly overtaken: number
}

/**
 * Follows each record at the target through all its effects.
 *
 * @param skips whether a newer version may take the place of older ones that wait.
 */
export function checkSequences(
  journal: readonly Effect[],
  versions: ReadonlyMap<string, readonly Version[]>,
  lives: Lives,
  skips: boolean,
): SequenceProblems {
  const disorders: string[] = []
  const gaps: string[] = []
  let overtaken = 0
  const effects = new Map<string, Effect[]>()
  const events = new Set<string>()
  /** Effects of events that the target had seen before. */
  const repeated = new Set<Effect>()
  for (const effect of journal) {
    const event = `${effect.entity}@${effect.position}`
    if (events.has(event)) repeated.add(effect)
    events.add(event)
    const told = effects.get(effect.record)
    if (told === undefined) effects.set(effect.record, [effect])
    else told.push(effect)
  }
  for (const [record, told] of effects)
    if (!versions.has(record)) disorders.push(`${record}: the platform never had it, ${describe(told[0]!)}`)
  for (const [record, list] of versions) {
    const sequence = new Sequence(list, lives, skips, repeated)
    for (const effect of effects.get(record) ?? []) sequence.follow(effect)
    disorders.push(...sequence.problems.map((problem) => `${record}: ${problem}`))
    gaps.push(...sequence.gaps().map((problem) => `${record}: ${problem}`))
    overtaken += sequence.overtaken
  }
  return { disorders, gaps, overtaken }
}

/** The effects on one record, as versions on the platform. */
class Sequence {
  readonly problems: string[] = []
  overtaken = 0
  readonly #versions: readonly Version[]
  readonly #lives: Lives
  readonly #skips: boolean
  readonly #repeated: ReadonlySet<Effect>
  readonly #done = new Set<number>()
  readonly #states = new Set<number>()
  #before: { effect: Effect; index: number } | undefined

  constructor(versions: readonly Version[], lives: Lives, skips: boolean, repeated: ReadonlySet<Effect>) {
    this.#versions = versions
    this.#lives = lives
    this.#skips = skips
    this.#repeated = repeated
  }

  follow(effect: Effect): void {
    const index = this.#indexOf(effect)
    // There is nothing before its first version.
    if (this.#versions[index]?.print !== effect.print) {
      this.problems.push(`${describe(effect)} is no version of the platform's`)
      return
    }
    const before = this.#before
    if (before !== undefined && index < before.index) {
      if (this.#cameAhead(before.effect, effect)) this.overtaken++
      else if (!this.#mayComeAgain(effect))
        this.problems.push(`${describe(effect)} goes back behind ${describe(before.effect)}`)
    }
    this.#before = { effect, index }
    this.#done.add(index)
    if (effect.isTold) this.#states.add(index)
  }

  gaps(): string[] {
    const newest = (indexes: ReadonlySet<number>) => Math.max(-1, ...indexes)
    // A waiting version is replaced by a newer one, or by its delete.
    const end = this.#versions.findLastIndex(({ print }) => print === undefined)
    const covered = this.#skips ? Math.max(end, newest(this.#done)) : newest(this.#states)
    const isMissing = ({ print, position }: Version, index: number) => {
      if (this.#done.has(index) || index <= covered || position === undefined) return false
      // What never existed needs no delete.
      return print !== undefined || this.#done.has(index - 1)
    }
    const missing = this.#versions
      .filter((version, index) => isMissing(version, index))
      .map(({ position }) => `the event at ${position} never came to it`)
    const stands = this.#before?.effect
    if (stands?.print !== this.#versions.at(-1)!.print)
      missing.push(`it ends ${stands === undefined ? 'without an effect' : `with ${describe(stands)}`}`)
    return missing
  }

  #indexOf({ isTold, print, position }: Effect): number {
    const versions = this.#versions
    if (print === undefined) return versions.findLastIndex((version) => isUpTo(version, position, isTold))
    if (isTold) return versions.findLastIndex((version) => version.print === print)
    return versions.findIndex((version) => version.position === position)
  }

  /**
   * Within a life nothing goes back; a new one may repeat the end of what was done, with what was skipped, and one that began
   * anew everything.
   */
  #mayComeAgain(effect: Effect): boolean {
    const before = this.#before!.effect
    if (effect.life === before.life) return false
    for (let each = before.life + 1; each <= effect.life; each++)
      if (this.#lives.begunAnew.has(each)) return true
    return this.#skips || this.#repeated.has(effect) || before.isTold
  }

  /** A dependency carries its entity as it is when it is sent, ahead of events that are still to be read. */
  #cameAhead(before: Effect, { life, isTold, position }: Effect): boolean {
    if (!before.isTold || isTold || before.life !== life) return false
    const newest = parsePosition(this.#lives.newestAtOpening.get(life) ?? '')
    return newest !== undefined && comparePositions(parsePosition(position)!, newest) > 0
  }
}

/** Whether a record is in this version, or was before, when something is taken away from it. */
function isUpTo(version: Version, position: string, isTold: boolean): boolean {
  // What is taken away while a state is told is not named by that state.
  if (isTold) return version.print === undefined
  if (version.position === undefined) return true
  return comparePositions(parsePosition(version.position)!, parsePosition(position)!) <= 0
}

function describe({ life, hook, position, isTold }: Effect): string {
  return `life ${life}: ${hook} at ${position}${isTold ? ' (told as it is)' : ''}`
}
