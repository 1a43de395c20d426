import { type KyInstance } from 'ky'
import { type PlatformError } from '../../errors/platform-error.ts'
import { PlatformLookups, type PlatformLookupsOptions } from '../../opencti/platform-lookups.ts'
import { type StreamEvent } from '../../opencti/stream-event.ts'
import { type AssemblyOptions } from '../assembly.ts'

/** The look-ups of a connector, made when somebody asks for them: most connectors never do. */
export class LazyLookups {
  readonly #options: PlatformLookupsOptions
  #lookups: PlatformLookups | undefined

  /**
   * @param http from `createPlatformHttp`.
   * @param stopped aborted when what is in flight is given up.
   */
  constructor({ loaded, clock, onNotice }: AssemblyOptions, http: KyInstance, stopped: AbortSignal) {
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
