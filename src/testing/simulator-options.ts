import { type Clock } from '../util/clock.ts'
import { type Capability } from './live/access.ts'
import { type PlatformProfile } from './platform-profile.ts'

/** Options for `Simulator`; all optional. */
export interface SimulatorOptions {
  /**
   * Platform generation to simulate.
   * @default '7.x-new'
   */
  readonly profile?: PlatformProfile | undefined
  /**
   * Address to listen on.
   * @default '127.0.0.1'
   */
  readonly host?: string | undefined
  /**
   * Port to listen on; 0 picks a free one.
   * @default 0
   */
  readonly port?: number | undefined
  /**
   * Path prefix of the platform, such as `/opencti`.
   * @default none
   */
  readonly basePath?: string | undefined
  /**
   * Interval between heartbeats, in milliseconds, as on the platform.
   * @default 5000
   */
  readonly heartbeatMs?: number | undefined
  /**
   * After this many milliseconds without an event, an idle reader makes up a new id and checks its stream
   * again. 5000 on the platform.
   * @default heartbeatMs
   */
  readonly idleReadMs?: number | undefined
  /**
   * Clock. With a `ManualClock`, heartbeats are sent when it advances.
   * @default systemClock
   */
  readonly clock?: Clock | undefined
  /**
   * Token of the connector's user.
   * @default random
   */
  readonly token?: string | undefined
  /**
   * Capabilities of the connector's user. A connector with `link` needs `KNOWLEDGE_KNUPDATE` in addition to
   * the default.
   * @default connectorCapabilities
   */
  readonly capabilities?: Iterable<Capability> | undefined
  /**
   * Number of newest events to keep in the history, as on the platform.
   * @default 2000000
   */
  readonly retention?: number | undefined
  /**
   * Objects per catch-up page, as on the platform.
   * @default 500, or 5000 for 6.x
   */
  readonly catchUpPage?: number | undefined
  /**
   * Seed for the order of objects within a catch-up page.
   * @default 1
   */
  readonly seed?: number | undefined
  /**
   * Number of sent objects a connection remembers, as on the platform.
   * @default 5000
   */
  readonly dependencyCacheSize?: number | undefined
  /**
   * How long it remembers them, in milliseconds, as on the platform.
   * @default 3600000
   */
  readonly dependencyCacheAgeMs?: number | undefined
}
