import { type z } from 'zod'
import { settingNotes } from './setting-notes.ts'

/**
 * Gives a setting old names, which are still read if the current one is unset. The log then mentions the new
 * name at startup. An old path in `config.yml` (`siem.token`) also implies its environment variable
 * (`SIEM_TOKEN`); a name without a dot is an environment variable only.
 *
 * @throws TypeError if a name can be neither.
 *
 * @example
 * ```ts
 * import { defineSettings, formerly, secret, z } from 'opencti-stream-connector'
 *
 * const settings = defineSettings({
 *   my_siem: z.object({ api_key: formerly(secret(), 'siem.token', 'SIEM_API_TOKEN') }), // MY_SIEM_API_KEY
 * })
 * ```
 */
export function formerly<Schema extends z.ZodType>(schema: Schema, ...names: readonly string[]): Schema {
  const wrong = names.find((name) => !/^(?:[a-z][a-z0-9_]*\.)?[a-z][a-z0-9_]*$/i.test(name))
  if (wrong !== undefined) {
    throw new TypeError(
      `formerly: "${wrong}" is neither a path in config.yml, such as siem.token, nor an environment variable name`,
    )
  }
  settingNotes.add(schema, { ...settingNotes.get(schema), formerNames: names })
  return schema
}
