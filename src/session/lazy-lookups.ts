import { type KyInstance } from 'ky'
import { type PlatformError } from '../errors/platform-error.ts'
import { PlatformLookups, type PlatformLookupsOptions } from '../lookups/platform-lookups.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'
import { type Clock } from '../util/clock.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/** The look-ups of a connector, made when somebody asks for them: most connectors never do. */
export class LazyLookups {
  readonly #options: PlatformLookupsOptions
  #lookups: PlatformLookups | undefined

  constructor({ loaded, clock, http, stopped, onNotice }: LazyLookupsOptions) {
    this.#options = {
      http,
      url: loaded.settings.opencti.url,
      clock,
      stopped,
      onHealth: (error) =>
        onNotice(error === undefined ? { kind: 'lookups-restored' } : { kind: 'lookups-failed', error }),
    }
  }

  /** Why the platform does not answer look-ups; undefined when it does, or nobody has asked. */
  get problem(): PlatformError | undefined {
    return this.#lookups?.problem
  }

  get(): PlatformLookups {
    this.#lookups ??= new PlatformLookups(this.#options)
    return this.#lookups
  }

  /** The stream brought an identity or a marking. */
  noteEvent({ name, entity, isDependency }: StreamEvent): void {
    this.#lookups?.note(entity, { isGone: name === 'delete' || name === 'merge', isDependency })
  }
}

export interface LazyLookupsOptions {
  readonly loaded: LoadedSettings
  readonly clock: Clock
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  /** Aborted when what is in flight is given up. */
  readonly stopped: AbortSignal
  readonly onNotice: (notice: ConnectorNotice) => void
}
