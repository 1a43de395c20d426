import { type z } from 'zod'
import { type ConnectorSettings } from './connector-settings.ts'
import { type SettingsDefinition, type SettingsSections } from './define-settings.ts'
import { type OpenctiSettings } from './opencti-settings.ts'
import { type Secret } from '../../util/secret.ts'

/** Values passed through as they are. */
type Opaque = Secret | Date | URL | RegExp | ((...values: never[]) => unknown)

/** `T`, deeply read-only. */
export type DeepReadonly<T> = T extends Opaque
  ? T
  : T extends ReadonlyMap<infer Key, infer Value>
    ? ReadonlyMap<Key, DeepReadonly<Value>>
    : T extends ReadonlySet<infer Value>
      ? ReadonlySet<DeepReadonly<Value>>
      : T extends object
        ? { readonly [Name in keyof T]: DeepReadonly<T[Name]> }
        : T

/** Type of the settings of a connector with these sections. */
export type SectionSettings<Sections extends SettingsSections> = {
  /** How to reach the platform. */
  readonly opencti: OpenctiSettings
  /** The connector and its stream. */
  readonly connector: ConnectorSettings
} & { readonly [Section in keyof Sections]: DeepReadonly<z.output<Sections[Section]>> }

/**
 * Type of the settings of a definition.
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
