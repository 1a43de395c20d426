import { type z } from 'zod'
import { type ConnectorSettings } from './connector-settings.ts'
import { type SettingsDefinition, type SettingsSections } from './define-settings.ts'
import { type OpenctiSettings } from './opencti-settings.ts'
import { type Secret } from '../../util/secret.ts'

/** Values that are handed over as they are. */
type Opaque = Secret | Date | URL | RegExp | ((...values: never[]) => unknown)

/** `T` with everything inside of it read-only. */
export type DeepReadonly<T> = T extends Opaque
  ? T
  : T extends ReadonlyMap<infer Key, infer Value>
    ? ReadonlyMap<Key, DeepReadonly<Value>>
    : T extends ReadonlySet<infer Value>
      ? ReadonlySet<DeepReadonly<Value>>
      : T extends object
        ? { readonly [Name in keyof T]: DeepReadonly<T[Name]> }
        : T

/** The settings that a connector with these sections gets. */
export type SectionSettings<Sections extends SettingsSections> = {
  /** How the platform is reached. */
  readonly opencti: OpenctiSettings
  /** What the connector is and what it listens to. */
  readonly connector: ConnectorSettings
} & { readonly [Section in keyof Sections]: DeepReadonly<z.output<Sections[Section]>> }

/**
 * The type of the settings that belongs to a definition.
 *
 * @example
 * ```ts
 * import { defineSettings, z, type SettingsOf } from 'opencti-stream-connector'
 *
 * const definition = defineSettings({ my_siem: z.object({ port: z.int().default(443) }) })
 *
 * function portOf(settings: SettingsOf<typeof definition>): number {
 *   return settings.my_siem.port
 * }
 * ```
 */
export type SettingsOf<Definition extends SettingsDefinition> =
  Definition extends SettingsDefinition<infer Sections> ? SectionSettings<Sections> : never
