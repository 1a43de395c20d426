import { type Verdict } from '../errors/verdict.ts'
import { type HookTimings } from '../observe/facts/hook-timings.ts'
import { type RecentErrors } from '../observe/status/recent-errors.ts'
import { type Tracing } from '../observe/tracing/tracing.ts'
import { type PlatformKnowledge } from '../lookups/platform-knowledge.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'
import { type StateFolderNote } from '../store/state-folder-note.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { type ConnectorNotice, type ConnectorState } from '../contract/notices.ts'
import { type TargetLimits } from '../target/target-limits.ts'
import { type Progress } from '../session/progress.ts'

/** What an `Assembly` is put together from. */
export interface AssemblyOptions {
  readonly hooks: ConnectorHooks
  readonly loaded: LoadedSettings
  readonly store: StateStore
  /** What is to be told of the folder of the state. */
  readonly folderNote?: StateFolderNote | undefined
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Shared with the HTTP clients of the author. */
  readonly limits: TargetLimits
  /** Cleans what goes into dead letters. */
  readonly redactor: Redactor
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** What an `Assembly` asks of the one that runs it. */
export interface AssemblyOwner {
  readonly progress: Progress
  /** Aborted when what is in flight is given up. */
  readonly givenUp: AbortSignal
  readonly ownUserId: () => string | undefined
  readonly onStop: (verdict: Verdict) => void
  /** An author or a marking came. */
  readonly onReference: (event: StreamEvent) => void
  /** Told of tries that failed and will be made again. */
  readonly errors: RecentErrors
  readonly timings: HookTimings
  readonly tracing: Tracing
  readonly knowledge: PlatformKnowledge
  readonly state: () => ConnectorState
}
