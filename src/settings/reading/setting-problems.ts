import { type z } from 'zod'
import { type SettingProblem } from '../../errors/settings-error.ts'
import { type ReceivedValue } from '../sources/echo-guard.ts'
import { expectedOf } from './expected-text.ts'
import { issueMessage } from './issue-message.ts'
import { notesOf } from '../schemas/setting-notes.ts'
import { type SettingField } from '../schemas/setting-field.ts'
import { type WrittenSetting } from '../sources/setting-sources.ts'

/** Problem for a required setting that is missing. */
export function missingProblem(field: SettingField, hasPlaceholder: boolean): SettingProblem {
  const isSaid = field.description === undefined || notesOf(field.schema).expected !== undefined
  const purpose = isSaid ? '' : ` (${field.description!.replace(/\.$/, '')})`
  return {
    environment: field.environment,
    yamlPath: field.yamlPath,
    isMissing: true,
    message: hasPlaceholder ? 'still has the placeholder value from the sample' : 'is not set',
    remedy: `Set ${field.environment}, or ${field.yamlPath} in config.yml, to ${expectedOf(field.schema)}${purpose}.`,
  }
}

/** Problem for an invalid setting. `written` is absent if the value came from the connector's code. */
export function refusedProblem(
  field: SettingField,
  issue: z.core.$ZodIssue,
  path: readonly PropertyKey[],
  written: WrittenSetting | undefined,
  received: readonly ReceivedValue[] = [],
): SettingProblem {
  return {
    environment: field.environment,
    yamlPath: field.yamlPath,
    message: issueMessage(issue, field.schema, path, received),
    remedy: remedyFor(field, written),
  }
}

/** Where to correct it. */
export function remedyFor(field: SettingField, written: WrittenSetting | undefined): string {
  switch (written?.origin) {
    case 'environment':
      return `Correct ${written.name} in the environment.`
    case 'config.yml':
      return `Correct ${written.name} in config.yml.`
    case '.env':
      return `Correct ${written.name} in .env.`
    default:
      return `Fix it in the connector’s code (static defaults), or set ${field.environment} to another value.`
  }
}
