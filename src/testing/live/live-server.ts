import { type Clock } from '../../util/clock.ts'
import { type Random } from '../../util/backoff.ts'
import { type Faults } from '../faults.ts'
import { type Platform } from '../knowledge/platform.ts'
import { type PlatformFeatures } from '../platform-profile.ts'
import { type AccessControl } from './access.ts'
import { type LruBounds } from './lru-set.ts'
import { type WakeUp } from './wake-up.ts'

/** What all connections of a simulator share. */
export interface LiveServer {
  readonly clock: Clock
  readonly features: PlatformFeatures
  readonly platform: Platform
  readonly access: AccessControl
  readonly faults: Faults
  readonly newEvents: WakeUp
  readonly heartbeatMs: number
  readonly idleReadMs: number
  readonly catchUpPage: number
  readonly random: Random
  readonly cacheBounds: LruBounds
  readonly retention: number
}
