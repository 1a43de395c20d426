import { type KyInstance } from 'ky'
import { type PlatformError } from '../errors/platform-error.ts'
import { PlatformLookups, type PlatformLookupsOptions } from '../lookups/platform-lookups.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'
import { type Clock } from '../util/clock.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/** A connector's lookups, created on first use: most connectors never need them. */
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

  /** Why the platform does not answer lookups; undefined if it does, or nothing was looked up. */
  get problem(): PlatformError | undefined {
    return this.#lookups?.problem
  }

  get(): PlatformLookups {
    this.#lookups ??= new PlatformLookups(this.#options)
    return this.#lookups
  }

  /** The stream delivered an identity or a marking. */
  noteEvent({ name, entity, isDependency }: StreamEvent): void {
    this.#lookups?.note(entity, { isGone: name === 'delete' || name === 'merge', isDependency })
  }
}

export interface LazyLookupsOptions {
  readonly loaded: LoadedSettings
  readonly clock: Clock
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  /** Aborted when work in flight is abandoned. */
  readonly stopped: AbortSignal
  readonly onNotice: (notice: ConnectorNotice) => void
}
