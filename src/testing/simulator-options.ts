import { type Clock } from '../util/clock.ts'
import { type Capability } from './live/access.ts'
import { type PlatformProfile } from './platform-profile.ts'

/** How to start a `Simulator`; everything has a default. */
export interface SimulatorOptions {
  /** Which generation of the platform to play. Default: `7.x-new`. */
  readonly profile?: PlatformProfile | undefined
  /** The address to listen on. Default: 127.0.0.1. */
  readonly host?: string | undefined
  /** The port to listen on. Default: 0, a free one. */
  readonly port?: number | undefined
  /** The path that the platform is served under, such as `/opencti`. Default: none. */
  readonly basePath?: string | undefined
  /** How often heartbeats are sent, in milliseconds. Default: 5000, as on the platform. */
  readonly heartbeatMs?: number | undefined
  /**
   * After how many milliseconds without an event an idle reader makes up a new id and looks at its stream again.
   * Default: `heartbeatMs`; both are 5000 on the platform.
   */
  readonly idleReadMs?: number | undefined
  /** Time. Default: the machine's. With a `ManualClock`, heartbeats come when it is moved. */
  readonly clock?: Clock | undefined
  /** The token of the connector's user. Default: a random one. */
  readonly token?: string | undefined
  /**
   * What the connector's user may do. Default: what the stock role of the platform's group "Connectors" may
   * (`APIACCESS_USETOKEN`, `CONNECTORAPI`, `TAXIIAPI`, `MODULES_MODMANAGE`), and `KNOWLEDGE`. A connector with `link` needs
   * `KNOWLEDGE_KNUPDATE` too.
   */
  readonly capabilities?: Iterable<Capability> | undefined
  /** How many of the newest events stay in the history. Default: 2,000,000, as on the platform. */
  readonly retention?: number | undefined
  /** How many objects a page of the catch-up holds. Default: 500 (6.x: 5000), as on the platform. */
  readonly catchUpPage?: number | undefined
  /** Which order the objects of a catch-up come in, within a page: the same seed, the same order. Default: 1. */
  readonly seed?: number | undefined
  /** How many sent objects a connection remembers. Default: 5000, as on the platform. */
  readonly dependencyCacheSize?: number | undefined
  /** For how many milliseconds it remembers them. Default: one hour, as on the platform. */
  readonly dependencyCacheAgeMs?: number | undefined
}
