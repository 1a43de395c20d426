import { type Hanging } from '../flow/hanging.ts'
import { type Clock } from '../util/clock.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/** How often is looked, in milliseconds. */
const lookEveryMs = 5000

/** So many calls are told of at a time, the longest first. */
const maxTold = 20

/** Tells of hooks that do not end, which nothing else says anything of: no error comes from them. */
export class HangWatch {
  readonly #options: HangWatchOptions
  /** What was told and still hangs. */
  #told: ReadonlySet<string> = new Set()
  #isAll = false

  constructor(options: HangWatchOptions) {
    this.#options = options
  }

  /** Looks from time to time, until `signal` is aborted. */
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
