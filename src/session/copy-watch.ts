import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { parsePlatformState, writerKey, type StateWriter } from '../opencti/platform-state.ts'
import { millisecondsOfIsoDate } from '../util/iso-date.ts'

/** What another run of this connector has left at the platform. */
export interface OtherRun {
  /** The name of its machine. */
  readonly host: string
  /** How long ago it wrote, in milliseconds. */
  readonly agoMs: number
}

/** A run that wrote within this time before our start may still be at work, in milliseconds: three pings. */
const recentMs = 120_000

/** After so many looks without a sign of it, another copy counts as gone: two that ping at one pace can miss one another. */
const looksUntilGone = 3

/**
 * Tells whether another copy of this connector is at work. Each run signs what it writes to the platform, and takes its name
 * off when it ends. The state file knows the runs that it has seen: so what a killed run of the same folder has left is
 * known. What an unknown run has left says little at the start, as a lost folder and a restored backup look the same; but
 * who writes after us is alive.
 */
export class CopyWatch {
  readonly #run = randomUUID().slice(0, 8)
  readonly #nowMs: () => number
  /** What was found at the start, and what was seen last: a sign of life is another one. */
  #seen: string | undefined
  #copy: string | undefined
  #quietLooks = 0

  /** @param nowMs what time it is at the platform, in milliseconds since 1970. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The machine on which another copy runs; undefined when none does, as far as it shows. */
  get copy(): string | undefined {
    return this.#copy
  }

  /** A state with our name. */
  signed(text: string): string {
    const writer: StateWriter = {
      run: this.#run,
      host: hostname(),
      at: new Date(this.#nowMs()).toISOString(),
    }
    return JSON.stringify({ ...(JSON.parse(text) as object), [writerKey]: writer })
  }

  /** Whether the platform has what we wrote ourselves in this run. */
  isOwn(text: string): boolean {
    return writerOf(text)?.run === this.#run
  }

  /**
   * Looks at what the platform has at the start.
   *
   * @param pushed what the platform can have from the runs that the state file knows.
   * @returns the run that wrote it, when the state file does not know it.
   */
  begin(found: string | undefined, pushed: readonly string[]): OtherRun | undefined {
    const writer = writerOf(found)
    if (writer === undefined) return undefined
    this.#seen = markOf(writer)
    if (pushed.some((text) => writerOf(text)?.run === writer.run)) return undefined
    return { host: writer.host, agoMs: Math.max(0, this.#nowMs() - millisecondsOfIsoDate(writer.at)!) }
  }

  /** Whether a run that was found at the start can still be at work. */
  mayBeAtWork({ agoMs }: OtherRun): boolean {
    return agoMs < recentMs
  }

  /**
   * Looks at what the platform has before we write to it again.
   *
   * @returns whether another run has written it, since we did or since the start.
   */
  look(found: string | undefined): boolean {
    if (found === undefined) return false
    const writer = writerOf(found)
    if (writer === undefined || writer.run === this.#run || markOf(writer) === this.#seen) {
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
