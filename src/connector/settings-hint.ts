import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'

/** What may be behind a mistake in the code of a class: without types nothing tells that its settings were forgotten. */
export function settingsHint({
  name,
  settings,
}: {
  readonly name: string
  readonly settings?: SettingsDefinition | undefined
}): string | undefined {
  return Object.keys(settings?.sections ?? {}).length > 0
    ? undefined
    : `${name} has no settings of its own. If it reads some, write "static settings = settings" in the class.`
}
