import { type StateStore } from '../store/state-store.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type ConnectorNotice } from './notices.ts'

/** Options for constructing a connector without `run()`, mostly for tests and embedding programs. */
export interface ConnectorOptions {
  /**
   * Environment variables.
   * @default process.env
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * Folder to search for `config.yml` or `.env`.
   * @default the main script's folder and its parent
   */
  readonly directory?: string | undefined
  /**
   * Storage for positions, id map, and dead letters.
   * @default a SQLite file in `CONNECTOR_STATE_DIR`
   */
  readonly store?: StateStore | undefined
  /** @default JSON lines on standard error */
  readonly logger?: Logger | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  /** Called with every {@link ConnectorNotice}. Errors it throws are ignored. */
  readonly onNotice?: ((notice: ConnectorNotice) => void) | undefined
}
