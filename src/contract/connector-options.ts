import { type StateStore } from '../store/state-store.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type ConnectorNotice } from './notices.ts'

/** What a connector may be given when it is not made by `run()`: mostly for tests and embedding programs. */
export interface ConnectorOptions {
  /** Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Where `config.yml` or `.env` is looked for. Default: beside the main script and one folder up. */
  readonly directory?: string | undefined
  /** Where positions, id map and dead letters are kept. Default: a SQLite file in `CONNECTOR_STATE_DIR`. */
  readonly store?: StateStore | undefined
  /** Default: JSON lines on standard error. */
  readonly logger?: Logger | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  /** Told of everything that an embedding program may want to know. What it throws is ignored. */
  readonly onNotice?: ((notice: ConnectorNotice) => void) | undefined
}
