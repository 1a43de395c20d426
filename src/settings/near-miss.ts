import { isForeignName, successorOf } from './foreign-names.ts'
import { type SettingField } from './setting-field.ts'
import { type WrittenSettings, writtenOf } from './setting-sources.ts'

/** Names this short are near to too many others. */
const minLength = 8

/**
 * For each name that is set, unknown, and close to the name of a setting that is not set: a sentence that asks
 * whether that one was meant. The same for a name that connectors in Python read and that has another one here.
 * Only names are told, never values.
 */
export function nearMisses(sources: WrittenSettings, fields: readonly SettingField[]): readonly string[] {
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
        ? [`${shown} is set, but is no setting: did you mean ${name}?`]
        : [`${shown} is set, but is not read: the setting is ${name} here.`]
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

/** Names that follow from section and field; others, as HTTP_PROXY, belong to the whole machine. */
function isNearTo({ environment, section }: SettingField, written: string): boolean {
  return environment.startsWith(`${section.toUpperCase()}_`) && isNear(written, environment)
}

function isNear(written: string, meant: string): boolean {
  if (meant.length < minLength || Math.abs(written.length - meant.length) > 3) return false
  if (bare(written) === bare(meant)) return true
  return distance(written, meant) <= 2
}

function bare(name: string): string {
  return name.replace(/[^A-Z0-9]/g, '')
}

/** Insertions, deletions and replacements between two names (Levenshtein). */
function distance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, replaced))
    }
    previous = current
  }
  return previous[right.length]!
}
