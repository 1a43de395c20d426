import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'
import { type SettingsOf } from '../settings/schemas/settings-of.ts'

/**
 * A class whose static `settings` are those that its type parameter names. For any other it is a sentence that the compiler
 * repeats: without it, the settings would be read as far as the class has them, and `this.settings` would lack the rest.
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
      : 'Write `static override readonly settings = settings` in the class: its type parameter names settings that the class does not have'
  : unknown
