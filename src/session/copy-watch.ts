import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { parsePlatformState, writerKey, type StateWriter } from '../opencti/platform-state.ts'
import { millisecondsOfIsoDate } from '../util/iso-date.ts'

/** Trace of another run of this connector on the platform. */
export interface OtherRun {
  /** Its machine's name. */
  readonly host: string
  /** Time since it last wrote, in milliseconds. */
  readonly agoMs: number
}

/** A run that wrote this shortly before our start may still be running, in milliseconds: three pings. */
const recentMs = 120_000

/**
 * Another copy counts as gone after this many checks without a sign of it. Two copies that ping at the same
 * rate can miss each other.
 */
const looksUntilGone = 3

/**
 * Detects whether another copy of this connector is running. Each run signs what it writes to the platform
 * and removes its name when it ends. The state file records the runs it has seen, so traces of a killed run
 * with the same folder are recognized. The trace of an unknown run proves little at startup, because a lost
 * folder or a restored backup looks the same. But a run that writes after us is alive.
 */
export class CopyWatch {
  readonly #run = randomUUID().slice(0, 8)
  readonly #nowMs: () => number
  /** What was found at startup, then what was last seen; anything else is a sign of life. */
  #seen: string | undefined
  #copy: string | undefined
  #quietLooks = 0
  /** Runs on the same state, which are over: the state has one holder at a time. */
  #former: ReadonlySet<string> = new Set()

  /** @param nowMs the platform's current time, in milliseconds since 1970. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Machine running another copy; undefined if none is known. */
  get copy(): string | undefined {
    return this.#copy
  }

  /** Signs a state with our name. */
  signed(text: string): string {
    const writer: StateWriter = {
      run: this.#run,
      host: hostname(),
      at: new Date(this.#nowMs()).toISOString(),
    }
    return JSON.stringify({ ...(JSON.parse(text) as object), [writerKey]: writer })
  }

  /** Whether the state on the platform was written by this run. */
  isOwn(text: string): boolean {
    return writerOf(text)?.run === this.#run
  }

  /**
   * Checks the state on the platform at startup.
   *
   * @param pushed states the platform may have from runs the state file knows.
   * @returns the run that wrote it, if the state file does not know it.
   */
  begin(found: string | undefined, pushed: readonly string[]): OtherRun | undefined {
    this.#former = new Set(pushed.flatMap((text) => writerOf(text)?.run ?? []))
    const writer = writerOf(found)
    if (writer === undefined) return undefined
    this.#seen = markOf(writer)
    if (this.#former.has(writer.run)) return undefined
    return { host: writer.host, agoMs: Math.max(0, this.#nowMs() - millisecondsOfIsoDate(writer.at)!) }
  }

  /** Whether a run wrote the state on the platform whose work this one continues. */
  isOfFormer(text: string | undefined): boolean {
    const run = writerOf(text)?.run
    return run !== undefined && this.#former.has(run)
  }

  /** Whether a run found at startup may still be running. */
  mayBeAtWork({ agoMs }: OtherRun): boolean {
    return agoMs < recentMs
  }

  /**
   * Checks the state on the platform before we overwrite it.
   *
   * @returns whether another run has written it since our last write or since startup.
   */
  look(found: string | undefined): boolean {
    if (found === undefined) return false
    const writer = writerOf(found)
    // A former leader may write once more when it wakes from a freeze, before it learns that it was replaced.
    const isQuiet = writer === undefined || this.isOfFormer(found) || markOf(writer) === this.#seen
    if (isQuiet || writer.run === this.#run) {
      if (++this.#quietLooks >= looksUntilGone) this.#copy = undefined
      return false
    }
    this.#seen = markOf(writer)
    this.#quietLooks = 0
    this.#copy = writer.host
    return true
  }
}

function writerOf(text: string | undefined): StateWriter | undefined {
  return parsePlatformState(text)?.writtenBy
}

function markOf({ run, at }: StateWriter): string {
  return `${run} ${at}`
}
