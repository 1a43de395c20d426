import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'

/**
 * Likely cause of a coding mistake in a class: without types, nothing points out that its settings are
 * missing.
 */
export function settingsHint({
  name,
  settings,
}: {
  readonly name: string
  readonly settings?: SettingsDefinition | undefined
}): string | undefined {
  return Object.keys(settings?.sections ?? {}).length > 0
    ? undefined
    : `${name} declares no settings. If it reads any, add "static settings = settings" to the class.`
}
