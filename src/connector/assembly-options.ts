import { type ConnectorCluster } from '../cluster/connector-cluster.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { type ConnectorNotice, type ConnectorState } from '../contract/notices.ts'
import { type OwnUser } from '../contract/own-user.ts'
import { type Verdict } from '../errors/verdict.ts'
import { type PlatformKnowledge } from '../lookups/platform-knowledge.ts'
import { type Observation } from '../observe/observation.ts'
import { type ListFiles } from '../snapshots/list-files.ts'
import { type LazyLookups } from '../session/lazy-lookups.ts'
import { type Progress } from '../session/progress.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'
import { type StateFolderNote } from '../store/state-folder-note.ts'
import { type LeaseGuard } from '../store/lease-guard.ts'
import { type StateOpenOptions, type StateStore } from '../store/state-store.ts'
import { type TargetLimits } from '../flow/target-limits.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'

/** What the author, the settings, and the class contribute to a run. */
export interface RuntimeOptions {
  readonly hooks: ConnectorHooks
  readonly loaded: LoadedSettings
  /** Lists that are written to files, and served. */
  readonly files?: ListFiles | undefined
  readonly store: StateStore
  /** The cluster whose copies share the work. @default this process does everything */
  readonly cluster?: ConnectorCluster | undefined
  /** Note about the state folder to log at startup. */
  readonly folderNote?: StateFolderNote | undefined
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Shared with the author's HTTP clients. */
  readonly limits: TargetLimits
  /** Redacts dead letters. */
  readonly redactor: Redactor
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** Everything an `Assembly` is built from. */
export interface AssemblyOptions extends RuntimeOptions {
  readonly progress: Progress
  readonly lifecycle: { readonly state: ConnectorState }
  readonly observation: Pick<Observation, 'timings' | 'tracing' | 'errors'>
  readonly lookups: Pick<LazyLookups, 'noteEvent'>
  readonly knowledge: PlatformKnowledge
  readonly ownUser: OwnUser
  /** Aborted when work in flight is abandoned. */
  readonly givenUp: AbortSignal
  readonly lease: LeaseGuard
  /** For the wait for a state that copies share. */
  readonly opening: StateOpenOptions
  /** The state is open. */
  readonly onOpen: () => void
  readonly onStop: (verdict: Verdict) => void
}
