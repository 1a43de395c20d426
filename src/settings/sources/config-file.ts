import { type Document, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml'
import { SettingsError } from '../../errors/settings-error.ts'
import { type RawValue } from './raw-value.ts'

/** Sections of a `config.yml`, each with its fields as written. */
export type ConfigFile = ReadonlyMap<string, ReadonlyMap<string, RawValue>>

/** Maximum nesting. No settings are this deep, and deeper trees could overflow the stack. */
const maxLevels = 200

/** Maximum number of values after resolving aliases: a few lines of aliases can mean millions. */
const maxValues = 100_000

/** Maximum number of uses of an anchor, including nested ones. */
const maxAliasCount = 1000

/**
 * Parses the text of a `config.yml`. Scalars keep their characters, so a timestamp or `0123` stays as
 * written; only a setting's schema converts it.
 *
 * @throws SettingsError with line and column, but none of the content.
 */
export function readConfigFile(text: string): ConfigFile {
  const root = readYaml(text)
  if (root === undefined || root === null) return new Map()
  if (!(root instanceof Map)) throw broken('has no sections')
  return new Map(
    [...(root as Map<string, RawValue>)].map(([name, section]) => [name, sectionOf(name, section)]),
  )
}

/**
 * Parses any YAML text like {@link readConfigFile}; `undefined` if it has no document.
 *
 * @throws SettingsError with line and column, but none of the content.
 */
export function readYaml(text: string): RawValue {
  const lineCounter = new LineCounter()
  const documents = documentsOf(text, lineCounter)
  const placeOf = (offset: number) => lineCounter.linePos(offset)
  const error = documents.flatMap(({ errors }) => errors)[0]
  if (error !== undefined) throw broken('is not valid YAML', placeOf(error.pos[0]))
  const [document, second] = documents
  if (document === undefined) return undefined
  if (second !== undefined) throw broken('has a second document', placeOf(second.range[0]))
  checkNodes(document, (what, offset) => broken(what, placeOf(offset)))
  return valueOf(document)
}

function documentsOf(text: string, lineCounter: LineCounter): readonly Document.Parsed[] {
  try {
    return [
      ...parseAllDocuments(text, {
        schema: 'failsafe',
        customTags: ['null', 'merge'],
        resolveKnownTags: false,
        stringKeys: true,
        lineCounter,
        prettyErrors: false,
        logLevel: 'silent',
      }),
    ]
  } catch (error) {
    if (error instanceof RangeError) throw broken('is nested too deeply')
    throw error
  }
}

/**
 * Checks what only the node tree reveals, with its location: nesting, and aliases that are undefined or
 * circular.
 */
function checkNodes(
  document: Document.Parsed,
  problem: (what: string, offset: number) => SettingsError,
): void {
  const anchors = new Set<string>()
  visit(document, {
    Alias: (_, { source, range }, path) => {
      const isWithin = path.some((node) => 'anchor' in node && node.anchor === source)
      if (isWithin || !anchors.has(source)) {
        throw problem('has an alias whose anchor is not defined before it', range?.[0] ?? 0)
      }
    },
    Value: (_, { anchor, range }, path) => {
      if (anchor !== undefined) anchors.add(anchor)
      // A map adds two steps to the path: itself and the pair.
      if (path.length > 2 * maxLevels) throw problem('is nested too deeply', range?.[0] ?? 0)
    },
    Pair: (_, { key, value }) => {
      if (isScalar(key) && key.source === '<<' && key.type === 'PLAIN' && isScalar(value)) {
        throw problem('has a merge key (<<) without a map', key.range?.[0] ?? 0)
      }
    },
  })
}

function valueOf(document: Document.Parsed): RawValue {
  try {
    const value = document.toJS({ mapAsMap: true, maxAliasCount }) as RawValue
    checkSize(value)
    return value
  } catch (error) {
    if (error instanceof SettingsError) throw error
    // The library's messages name anchors.
    throw broken('has too many aliases, or merges something that is not a map')
  }
}

/** Counts values with all aliases resolved. */
function checkSize(root: RawValue): void {
  let values = 0
  const visitValue = (value: RawValue, level: number): void => {
    values += 1
    if (values > maxValues) throw broken('has too many aliases or values')
    if (level > maxLevels) throw broken('is nested too deeply')
    if (typeof value !== 'object' || value === null) return
    for (const part of value.values() as Iterable<RawValue>) visitValue(part, level + 1)
  }
  visitValue(root, 0)
}

function sectionOf(name: string, section: RawValue): ReadonlyMap<string, RawValue> {
  if (section instanceof Map) return section as ReadonlyMap<string, RawValue>
  if (section === null) return new Map()
  // May belong to another program. It only matters if one of our sections has this name; its fields are then
  // missing.
  return new NotASection(name)
}

/** A value found where a section was expected. */
export class NotASection extends Map<string, RawValue> {
  readonly section: string

  constructor(section: string) {
    super()
    this.section = section
  }
}

function broken(what: string, { line, col } = { line: 1, col: 1 }): SettingsError {
  return new SettingsError([
    {
      yamlPath: 'config.yml',
      message: `${what} at line ${Math.max(line, 1)}, column ${Math.max(col, 1)}`,
      remedy: 'Correct the file there; none of it was used.',
    },
  ])
}
