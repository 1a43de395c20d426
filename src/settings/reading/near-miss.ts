import { isForeignName, successorOf } from '../sources/foreign-names.ts'
import { bareName, editDistance } from './near-name.ts'
import { type SettingField } from '../schemas/setting-field.ts'
import { type WrittenSettings, writtenOf } from '../sources/setting-sources.ts'

/** Shorter names resemble too many others. */
const minLength = 8

/**
 * Returns a "did you mean" sentence for each unknown name that resembles an unset setting, and the new name
 * for each name that Python connectors use or the author has retired. Contains names only, never values.
 */
export function nearMisses(sources: WrittenSettings, fields: readonly SettingField[]): readonly string[] {
  return [...givenUpNames(sources, fields), ...misspellings(sources, fields)]
}

/** Returns one sentence with the current name for each setting read under a retired one. */
function givenUpNames(sources: WrittenSettings, fields: readonly SettingField[]): readonly string[] {
  return fields.flatMap((field) => {
    if (field.formerNames.length === 0) return []
    const written = writtenOf(sources, field)
    const spelt = written?.name.replace('.', '_').toUpperCase()
    const isFormer = field.formerNames.some((name) => name.replace('.', '_').toUpperCase() === spelt)
    if (written === undefined || !isFormer) return []
    const present = written.origin === 'config.yml' ? field.yamlPath : field.environment
    return [`${written.name} is the old name of ${present}. It still works, but use the new name.`]
  })
}

function misspellings(sources: WrittenSettings, fields: readonly SettingField[]): readonly string[] {
  const known = new Set(fields.flatMap(({ environmentNames }) => environmentNames))
  const unset = fields.filter((field) => writtenOf(sources, field) === undefined)
  return setNames(sources)
    .filter(({ environment }) => !known.has(environment))
    .flatMap(({ environment, shown, isYaml }) => {
      const successor = successorOf(environment)
      const meant = unset.find((field) =>
        successor === undefined
          ? !isForeignName(environment) && isNearTo(field, environment)
          : field.environment === successor,
      )
      if (meant === undefined) return []
      const name = isYaml ? meant.yamlPath : meant.environment
      return successor === undefined
        ? [`${shown} is set but is not a setting. Did you mean ${name}?`]
        : [`${shown} is set but has no effect. This SDK uses ${name}.`]
    })
}

function setNames(sources: WrittenSettings) {
  const text = [...sources.environment.keys(), ...sources.dotenv.keys()].map((name) => ({
    environment: name.toUpperCase(),
    shown: name,
    isYaml: false,
  }))
  const yaml = [...sources.config].flatMap(([section, fields]) =>
    [...fields.keys()].map((field) => ({
      environment: `${section}_${field}`.toUpperCase(),
      shown: `${section}.${field} in config.yml`,
      isYaml: true,
    })),
  )
  return [...text, ...yaml]
}

/** Names derived from section and field. Others, such as HTTP_PROXY, belong to the whole machine. */
function isNearTo({ environment, section }: SettingField, written: string): boolean {
  return environment.startsWith(`${section.toUpperCase()}_`) && isNear(written, environment)
}

function isNear(written: string, meant: string): boolean {
  if (meant.length < minLength || Math.abs(written.length - meant.length) > 3) return false
  if (bareName(written) === bareName(meant)) return true
  return editDistance(written, meant) <= 2
}
