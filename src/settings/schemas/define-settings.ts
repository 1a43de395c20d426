import { type z } from 'zod'
import { definitionOf } from './inner-schema.ts'
import { builtInEnvironmentNames, sectionFields } from './setting-field.ts'

/** A connector's own sections: a snake_case name and a zod object for each. */
export type SettingsSections = Readonly<Record<string, z.ZodObject>>

/** Result of {@link defineSettings}. `SettingsOf` derives the type of the settings from its type. */
export interface SettingsDefinition<Sections extends SettingsSections = SettingsSections> {
  /** The author's sections, without `opencti` and `connector`. */
  readonly sections: Sections
}

/**
 * Definition without settings beyond the built-in ones. Use it to give a connector an item type only.
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
 * Declares a connector's own settings, in addition to the built-in ones. Each field is read from the
 * environment as `<SECTION>_<FIELD>` and from `config.yml` as `section.field`. Text is converted to what the
 * schema accepts, so there is no need for `z.coerce`.
 *
 * @throws Error if a section is named `opencti` or `connector`, a name cannot be part of an environment
 *   variable name, or two settings share one.
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
