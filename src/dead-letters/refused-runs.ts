import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { describeError } from '../errors/verdict.ts'
import { fieldsOf } from '../stix/types/json-value.ts'
import { type NewDeadLetter, type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { parsedJson } from '../util/json-text.ts'
import { type Logger } from '../util/logger.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type Redactor } from '../util/redactor.ts'

/** Tells one dead letter from all others before it has an id. */
type Mark = Pick<NewDeadLetter, 'key' | 'position' | 'firstAtMs'>

/** Events that were refused one after another, without one that was delivered in between. */
interface Run {
  readonly route: string | undefined
  /** Why the last was refused, once everything counts as refused: its letters have been taken back since. */
  reason?: string | undefined
  /** Something was delivered since. */
  isOver?: boolean | undefined
  letters: readonly Mark[]
}

/** So many letters of a run are remembered: it is seldom more than twenty. */
const maxLetters = 1000

const pageSize = 500
const retryMs = 1000

const markOf = ({ key, position, firstAtMs }: Mark): string => `${key}|${position}|${firstAtMs}`

/**
 * The dead letters of events that were refused while none was delivered: when that turns out to be everybody's fate, it was
 * not the events that were bad. They are then taken back into the lanes, before what has come of their entities since, and
 * wait there for the target to take events again. What they are is written with them: after `kill -9` the next process knows
 * as much.
 */
export class RefusedRuns {
  readonly #options: RefusedRunsOptions
  readonly #runs = new Map<string | undefined, Run>()
  #resumed: Promise<void> | undefined

  constructor(options: RefusedRunsOptions) {
    this.#options = options
  }

  /** What goes with every commit. */
  values(): ReadonlyMap<string, string | undefined> {
    return new Map([
      [
        storedValues.refusedRuns,
        this.#runs.size === 0 ? undefined : JSON.stringify([...this.#runs.values()]),
      ],
    ])
  }

  /** Reads what an earlier process has left: what was paused stays so. */
  async open(): Promise<void> {
    const text = await this.#options.store.value(storedValues.refusedRuns)
    for (const run of text === undefined ? [] : runsOf(parsedJson(text))) {
      this.#runs.set(run.route, run)
      if (run.isOver !== true) this.#options.engine.resumeRefusals(run.route, run.letters.length, run.reason)
    }
  }

  /** Takes back what an earlier process had; once, before anything else comes into the lanes. */
  resume(): Promise<void> {
    this.#resumed ??= this.#resume()
    return this.#resumed
  }

  /** A dead letter was added while nothing is delivered. */
  add(letter: NewDeadLetter): void {
    const { route, key, position, firstAtMs } = letter
    const run = this.#runs.get(route) ?? { route, letters: [] }
    if (run.letters.length >= maxLetters) return
    run.letters = [...run.letters, { key, position, firstAtMs }]
    this.#runs.set(route, run)
  }

  /**
   * An event was delivered after others had been refused: those are bad. Unless all were; then what was put aside is tried
   * again, that too which has made way for others meanwhile.
   */
  taken(route: string | undefined): void {
    const run = this.#runs.get(route)
    if (run === undefined) return
    if (run.reason === undefined) this.#forget(run)
    else {
      run.isOver = true
      void this.#takeBack(run)
    }
  }

  /** Everything is refused. */
  takeBack(route: string | undefined, reason: string): void {
    const run = this.#runs.get(route)
    if (run === undefined) return
    run.reason = this.#options.redactor.clean(reason)
    run.isOver = false
    void this.#takeBack(run)
  }

  async #resume(): Promise<void> {
    const paused = [...this.#runs.values()].filter(({ reason }) => reason !== undefined)
    await Promise.all(paused.map((run) => this.#takeBack(run)))
  }

  async #takeBack(run: Run): Promise<void> {
    const { checkpointer, clock, logger, stopped, replayer } = this.#options
    checkpointer.touch()
    while (!stopped.aborted) {
      try {
        await checkpointer.flush()
        const found = await this.#find(run.letters)
        run.letters = [...found.values()]
        await replayer.takeBack([...found.keys()], (id, isStillThere) => {
          if (run.isOver === true || !isStillThere) this.#ended(run, found.get(id)!)
        })
        if (found.size === 0) this.#forget(run)
        return
      } catch (error) {
        logger.warn('Dead letters cannot be taken back yet', { error: describeError(error) })
        await delay(clock, retryMs, stopped).catch(() => {})
      }
    }
  }

  /** The letters that bear these marks, by id, in order. */
  async #find(marks: readonly Mark[]): Promise<Map<number, Mark>> {
    const { store } = this.#options
    const wanted = new Map(marks.map((mark) => [markOf(mark), mark]))
    const found = new Map<number, Mark>()
    for (let afterId = 0; wanted.size > 0;) {
      const page = await store.deadLetters({ afterId, limit: pageSize, withoutData: true })
      for (const letter of page) {
        const mark = wanted.get(markOf(letter))
        if (mark !== undefined) found.set(letter.id, mark)
        afterId = letter.id
      }
      if (page.length < pageSize) break
    }
    return found
  }

  #ended(run: Run, ended: Mark): void {
    const name = markOf(ended)
    run.letters = run.letters.filter((mark) => markOf(mark) !== name)
    if (run.letters.length === 0) this.#forget(run)
    this.#options.checkpointer.touch()
  }

  #forget(run: Run): void {
    if (this.#runs.get(run.route) === run) this.#runs.delete(run.route)
    this.#options.checkpointer.touch()
  }
}

export interface RefusedRunsOptions {
  readonly store: StateStore
  readonly checkpointer: Checkpointer
  readonly clock: Clock
  readonly logger: Logger
  /** Takes secrets out of a text. */
  readonly redactor: Pick<Redactor, 'clean'>
  /** Has letters tried again before what waits of their entities; tells of each that has ended. */
  readonly replayer: {
    takeBack(ids: readonly number[], onEnded: (id: number, isStillThere: boolean) => void): Promise<void>
  }
  /** Goes on where an earlier process has stopped. */
  readonly engine: {
    resumeRefusals(route: string | undefined, run: number, reason: string | undefined): void
  }
  /** Aborted when nothing is taken back any more. */
  readonly stopped: AbortSignal
}

/** What was written of earlier runs. A value that somebody has spoilt says nothing, and must not end each start. */
function runsOf(value: unknown): Run[] {
  return Array.isArray(value) ? value.filter((run) => Array.isArray(fieldsOf(run)['letters'])) : []
}
