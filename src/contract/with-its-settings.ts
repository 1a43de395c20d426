import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'
import { type SettingsOf } from '../settings/schemas/settings-of.ts'

/**
 * Resolves to a compiler error sentence unless the class's static `settings` match its type parameter.
 * Without this check, only the settings the class has would load, and `this.settings` would lack the rest.
 */
export type WithItsSettings<Class> = Class extends {
  readonly settings: SettingsDefinition<infer Sections>
  new (...options: never[]): { readonly settings: infer Expected }
}
  ? string extends keyof Sections | keyof Expected
    ? // Nothing is known of them.
      unknown
    : SettingsOf<Class['settings']> extends Expected
      ? unknown
      : 'Add `static override readonly settings = settings` to the class: its type parameter names settings that the class does not have'
  : unknown
