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

/** Identifies a dead letter before it has an id. */
type Mark = Pick<NewDeadLetter, 'key' | 'position' | 'firstAtMs'>

/** Consecutive refused events, with no delivery in between. */
interface Run {
  readonly route: string | undefined
  /** Reason of the last refusal, once everything counts as refused; its letters have then been taken back. */
  reason?: string | undefined
  /** Something has been delivered since. */
  isOver?: boolean | undefined
  letters: readonly Mark[]
}

/** Letters to remember per run; there are seldom more than twenty. */
const maxLetters = 1000

const pageSize = 500
const retryMs = 1000

const markOf = ({ key, position, firstAtMs }: Mark): string => `${key}|${position}|${firstAtMs}`

/**
 * Dead letters of events refused while none was delivered. If it turns out that everything is refused, the
 * events were not at fault: they return to the lanes, ahead of later events of their entities, and wait there
 * for the target to accept events again. The run is saved with the letters, so the next process knows about
 * it even after `kill -9`.
 */
export class RefusedRuns {
  readonly #options: RefusedRunsOptions
  readonly #runs = new Map<string | undefined, Run>()
  #resumed: Promise<void> | undefined

  constructor(options: RefusedRunsOptions) {
    this.#options = options
  }

  /** Values to save with every commit. */
  values(): ReadonlyMap<string, string | undefined> {
    return new Map([
      [
        storedValues.refusedRuns,
        this.#runs.size === 0 ? undefined : JSON.stringify([...this.#runs.values()]),
      ],
    ])
  }

  /** Restores what an earlier process left; paused routes stay paused. */
  async open(): Promise<void> {
    const text = await this.#options.store.value(storedValues.refusedRuns)
    for (const run of text === undefined ? [] : runsOf(parsedJson(text))) {
      this.#runs.set(run.route, run)
      if (run.isOver !== true) this.#options.engine.resumeRefusals(run.route, run.letters.length, run.reason)
    }
  }

  /** Takes back the letters of an earlier process, once, before anything else enters the lanes. */
  resume(): Promise<void> {
    this.#resumed ??= this.#resume()
    return this.#resumed
  }

  /** A dead letter was added while nothing is being delivered. */
  add(letter: NewDeadLetter): void {
    const { route, key, position, firstAtMs } = letter
    const run = this.#runs.get(route) ?? { route, letters: [] }
    if (run.letters.length >= maxLetters) return
    run.letters = [...run.letters, { key, position, firstAtMs }]
    this.#runs.set(route, run)
  }

  /**
   * An event was delivered after others were refused, so those were at fault. If everything was refused, the
   * dead letters of the run are retried instead, including those no longer remembered.
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

  /** Everything is refused. Resolves when the letters are back in the lanes, or cannot be read for now. */
  async takeBack(route: string | undefined, reason: string): Promise<void> {
    const run = this.#runs.get(route)
    if (run === undefined) return
    run.reason = this.#options.redactor.clean(reason)
    run.isOver = false
    if (!(await this.#tryToTakeBack(run))) void this.#takeBack(run)
  }

  async #resume(): Promise<void> {
    const paused = [...this.#runs.values()].filter(({ reason }) => reason !== undefined)
    await Promise.all(paused.map((run) => this.#takeBack(run)))
  }

  async #takeBack(run: Run): Promise<void> {
    while (!this.#options.stopped.aborted && !(await this.#tryToTakeBack(run)));
  }

  /** Returns whether that worked; waits a little if not. */
  async #tryToTakeBack(run: Run): Promise<boolean> {
    const { checkpointer, clock, logger, stopped, replayer } = this.#options
    checkpointer.touch()
    try {
      await checkpointer.flush()
      const found = await this.#find(run.letters)
      run.letters = [...found.values()]
      await replayer.takeBack([...found.keys()], (id, isStillThere) => {
        if (run.isOver === true || !isStillThere) this.#ended(run, found.get(id)!)
      })
      if (found.size === 0) this.#forget(run)
      return true
    } catch (error) {
      logger.warn('Dead letters cannot be redelivered yet', { error: describeError(error) })
      await delay(clock, retryMs, stopped).catch(() => {})
      return false
    }
  }

  /** Finds the letters with these marks, by id, in order. */
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
  /** Redacts secrets. */
  readonly redactor: Pick<Redactor, 'clean'>
  /** Retries letters before queued events of their entities; reports each one that has ended. */
  readonly replayer: {
    takeBack(ids: readonly number[], onEnded: (id: number, isStillThere: boolean) => void): Promise<void>
  }
  /** Continues where an earlier process stopped. */
  readonly engine: {
    resumeRefusals(route: string | undefined, run: number, reason: string | undefined): void
  }
  /** Aborts when no more letters should be taken back. */
  readonly stopped: AbortSignal
}

/** Parses the runs saved earlier. A corrupted value is ignored, because it must not fail every start. */
function runsOf(value: unknown): Run[] {
  return Array.isArray(value) ? value.filter((run) => Array.isArray(fieldsOf(run)['letters'])) : []
}
