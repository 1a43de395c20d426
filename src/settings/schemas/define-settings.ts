import { type z } from 'zod'
import { definitionOf } from './inner-schema.ts'
import { builtInEnvironmentNames, sectionFields } from './setting-field.ts'

/** The sections of a connector's own settings: a name in snake_case, and a zod object. */
export type SettingsSections = Readonly<Record<string, z.ZodObject>>

/** What {@link defineSettings} answers; `SettingsOf` turns its type into that of the settings. */
export interface SettingsDefinition<Sections extends SettingsSections = SettingsSections> {
  /** The author's sections, without `opencti` and `connector`. */
  readonly sections: Sections
}

/**
 * No settings but those that every connector has: what a connector names that has only an item of its own.
 *
 * @example
 * ```ts
 * import { nameOf, StreamConnector, type Entity, type NoSettings } from 'opencti-stream-connector'
 *
 * class Notifier extends StreamConnector<NoSettings, { text: string }> {
 *   transform(entity: Entity) {
 *     return { text: nameOf(entity) }
 *   }
 *   override async create(item: { text: string }) {
 *     await this.http.post('https://chat.example.org/messages', { json: item })
 *   }
 * }
 *
 * export { Notifier }
 * ```
 */
export type NoSettings = SettingsDefinition<Record<never, never>>

/**
 * Declares the settings of a connector beside those that every connector has. Each field is read from the
 * environment as `<SECTION>_<FIELD>`, from `config.yml` as `section.field`; text is converted by what the schema
 * takes, so nothing needs `z.coerce`.
 *
 * @throws Error when a section is named `opencti` or `connector`, when a name is none for an environment variable, or
 * when two settings would share one.
 *
 * @example
 * ```ts
 * import { defineSettings, secret, z } from 'opencti-stream-connector'
 *
 * const settings = defineSettings({
 *   my_siem: z.object({
 *     api_base_url: z.url().describe('Address of the API'), // MY_SIEM_API_BASE_URL
 *     api_key: secret(), // MY_SIEM_API_KEY
 *     lists: z.array(z.string()).default([]), // MY_SIEM_LISTS=a,b
 *   }),
 * })
 * ```
 */
export function defineSettings<const Sections extends SettingsSections>(
  sections: Sections & { readonly opencti?: never; readonly connector?: never },
): SettingsDefinition<Sections> {
  const owners = new Map(builtInEnvironmentNames.map((name) => [name, 'a setting that every connector has']))
  for (const [section, schema] of Object.entries<z.ZodObject>(sections)) {
    if (section === 'opencti' || section === 'connector') {
      throw new Error(
        `defineSettings: the section "${section}" already exists in every connector; choose another name`,
      )
    }
    if (definitionOf(schema).type !== 'object') {
      throw new TypeError(`defineSettings: the section "${section}" must be a z.object({ … })`)
    }
    checkName(section)
    for (const { field, environmentNames, yamlPath } of sectionFields(section, schema)) {
      checkName(field)
      for (const environment of environmentNames) {
        const owner = owners.get(environment)
        if (owner !== undefined) {
          throw new Error(`defineSettings: ${yamlPath} and ${owner} would both be read from ${environment}`)
        }
        owners.set(environment, yamlPath)
      }
    }
  }
  return Object.freeze({ sections: Object.freeze({ ...sections }) })
}

function checkName(name: string): void {
  if (/^[a-z][a-z0-9_]*$/i.test(name)) return
  throw new Error(
    `defineSettings: "${name}" cannot be part of an environment variable name; use letters, digits, and _`,
  )
}
