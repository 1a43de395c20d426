import { type Hanging } from '../flow/hanging.ts'
import { type Clock } from '../util/clock.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/** Interval between checks, in milliseconds. */
const lookEveryMs = 5000

/** Maximum number of calls to report at a time, longest first. */
const maxTold = 20

/** Reports hooks that do not end: they cause no error, so nothing else would show them. */
export class HangWatch {
  readonly #options: HangWatchOptions
  /** Reported calls that still hang. */
  #told: ReadonlySet<string> = new Set()
  #isAll = false

  constructor(options: HangWatchOptions) {
    this.#options = options
  }

  /** Checks periodically until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    return repeatUntilAborted(() => this.#look(), { clock, everyMs: lookEveryMs, signal })
  }

  #look(): void {
    const { engine, onNotice } = this.#options
    const { calls, isAll } = engine.hanging()
    const told = new Set<string>()
    for (const call of calls.slice(0, maxTold)) {
      const name = `${call.route}@${call.kind} ${call.entityId}`
      told.add(name)
      if (this.#told.has(name) && (!isAll || this.#isAll)) continue
      const { kind: hook, entityId, route, forMs } = call
      onNotice({ kind: 'hook-hangs', hook, entityId, route, forMs, isAll })
    }
    this.#told = told
    this.#isAll = isAll
  }
}

export interface HangWatchOptions {
  readonly clock: Clock
  readonly engine: { hanging(): Hanging }
  readonly onNotice: (notice: ConnectorNotice) => void
}
