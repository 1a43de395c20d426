import { type Document, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml'
import { SettingsError } from '../../errors/settings-error.ts'
import { type RawValue } from './raw-value.ts'

/** The sections of a `config.yml`, each with its fields as they were written. */
export type ConfigFile = ReadonlyMap<string, ReadonlyMap<string, RawValue>>

/** No settings are nested so deeply: with more levels the stack may have no room to read them. */
const maxLevels = 200

/** Values that a file may have once its aliases are followed: a few lines of aliases can mean millions. */
const maxValues = 100_000

/** How often what an anchor names may be used, with all that it uses itself. */
const maxAliasCount = 1000

/**
 * Reads the text of a `config.yml`. Scalars keep their characters, so that a timestamp or `0123` stays what was
 * written: only the schema of a setting turns text into something else.
 *
 * @throws SettingsError with line and column, without a word of the content.
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
 * Reads any YAML text, as {@link readConfigFile} reads that of a file; `undefined` for one without a document.
 *
 * @throws SettingsError with line and column, without a word of the content.
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

/** What only the tree of nodes tells, with its place: levels, and aliases that lead nowhere or into themselves. */
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
      // A map is two steps of the path: itself and the pair.
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
    // Its messages name anchors.
    throw broken('has too many aliases, or merges something that is not a map')
  }
}

/** With all aliases followed. */
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
  // Something of another program; it only matters when the section is one of ours, whose fields are then missing.
  return new NotASection(name)
}

/** What stands where a section was expected. */
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
