import { type SettingProblem } from '../../errors/settings-error.ts'
import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'

/**
 * Type of `static defaults`: options, or a function that derives them from the connector's settings.
 *
 * @example
 * ```ts
 * import { StreamConnector, defineSettings, z } from 'opencti-stream-connector'
 * import type { ConnectorDefaults, Entity, SettingsOf } from 'opencti-stream-connector'
 *
 * const settings = defineSettings({ blocklist: z.object({ sync_interval_s: z.number().default(60) }) })
 *
 * class Blocklist extends StreamConnector<typeof settings> {
 *   static override readonly settings = settings
 *   static override readonly defaults = ({ blocklist }: SettingsOf<typeof settings>) =>
 *     ({ batch: { maxWaitMs: blocklist.sync_interval_s * 1000 } }) satisfies ConnectorDefaults
 *   transform = (entity: Entity) => entity
 *   override flush() {}
 * }
 *
 * export { Blocklist }
 * ```
 */
export type Defaults = ConnectorDefaults | ((settings: never) => ConnectorDefaults)

/** Defaults that at least give the connector this name. */
export function namedDefaults(name: string, defaults: Defaults): Defaults {
  if (typeof defaults !== 'function') return { name, ...defaults }
  return (settings: never) => ({ name, ...defaults(settings) })
}

/**
 * Resolves the defaults for these settings.
 *
 * @param settings undefined if they are invalid; defaults that depend on them are then omitted.
 */
export function resolveDefaults(
  defaults: Defaults,
  settings: object | undefined,
): { readonly defaults: ConnectorDefaults; readonly problems: readonly SettingProblem[] } {
  if (typeof defaults !== 'function') return { defaults, problems: [] }
  if (settings === undefined) return { defaults: {}, problems: [] }
  try {
    return { defaults: defaults(settings as never), problems: [] }
  } catch {
    // Its message may contain the value of a setting.
    const problem = {
      yamlPath: 'static defaults',
      message: 'could not be computed: the function in the connector’s code threw an error',
      remedy: 'Fix the connector’s code.',
    }
    return { defaults: {}, problems: [problem] }
  }
}
