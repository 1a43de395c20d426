import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, type Document } from 'yaml'
import { SettingsError } from '../../errors/settings-error.ts'
import { RawScalar, type RawValue } from './raw-value.ts'

/** The sections of a `config.yml`, each with its fields as they were written. */
export type ConfigFile = ReadonlyMap<string, ReadonlyMap<string, RawValue>>

/** No settings are nested so deeply: with more levels the stack may have no room to read them. */
const maxLevels = 200

/** Nodes that a file may have once its aliases are followed: a few lines of aliases can mean millions. */
const maxNodes = 100_000

/**
 * Reads the text of a `config.yml`. Scalars keep their characters, so that a timestamp or `0123` stays what was
 * written where text is wanted.
 *
 * @throws SettingsError with line and column, without a word of the content.
 */
export function readConfigFile(text: string): ConfigFile {
  const root = readYaml(text)
  if (root === undefined || (root instanceof RawScalar && root.value === null)) return new Map()
  if (!(root instanceof Map)) throw broken('has no sections', new LineCounter(), 0)
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
  if (documents.length === 0) return undefined
  const [document] = documents
  const error = documents.flatMap(({ errors }) => errors)[0]
  if (error !== undefined) throw broken('is not valid YAML', lineCounter, error.pos[0])
  if (documents.length > 1) throw broken('has a second document', lineCounter, documents[1]!.range[0])
  return new NodeReader(document!, lineCounter).read(document!.contents, 0)
}

function documentsOf(text: string, lineCounter: LineCounter): readonly Document.Parsed[] {
  try {
    return [...parseAllDocuments(text, { lineCounter, prettyErrors: false, logLevel: 'silent' })]
  } catch (error) {
    if (error instanceof RangeError) throw broken('is nested too deeply', lineCounter, 0)
    throw error
  }
}

function sectionOf(name: string, section: RawValue): ReadonlyMap<string, RawValue> {
  if (section instanceof Map) return section as ReadonlyMap<string, RawValue>
  if (section instanceof RawScalar && section.value === null) return new Map()
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

class NodeReader {
  readonly #document: Document.Parsed
  readonly #lineCounter: LineCounter
  #nodes = 0

  constructor(document: Document.Parsed, lineCounter: LineCounter) {
    this.#document = document
    this.#lineCounter = lineCounter
  }

  read(node: unknown, level: number): RawValue {
    this.#nodes += 1
    if (level > maxLevels) throw broken('is nested too deeply', this.#lineCounter, offsetOf(node))
    if (this.#nodes > maxNodes) throw broken('has too many aliases', this.#lineCounter, 0)
    if (isAlias(node)) {
      const target = node.resolve(this.#document)
      if (target === undefined || (node.range && target.range && target.range[1] > node.range[0])) {
        throw broken('has an alias without an anchor before it', this.#lineCounter, offsetOf(node))
      }
      return this.read(target, level + 1)
    }
    if (isSeq(node)) return node.items.map((item) => this.read(item, level + 1))
    if (isMap(node)) return this.#readMap(node.items, level + 1)
    if (!isScalar(node)) return null
    const isPlain = node.type === 'PLAIN' && typeof node.source === 'string'
    return new RawScalar(isPlain ? node.source! : String(node.value ?? ''), node.value)
  }

  #readMap(items: readonly { key: unknown; value: unknown }[], level: number): ReadonlyMap<string, RawValue> {
    const merged = new Map<string, RawValue>()
    const own = new Map<string, RawValue>()
    for (const { key, value } of items) {
      const name = this.read(key, level)
      if (!(name instanceof RawScalar)) continue
      const content = this.read(value, level)
      if (name.text !== '<<') own.set(name.text, content)
      else {
        // The merge key of YAML 1.1, which PyYAML reads: the first map that has a name wins.
        for (const source of Array.isArray(content) ? (content as RawValue[]) : [content]) {
          if (!(source instanceof Map)) continue
          for (const [field, inherited] of source as Map<string, RawValue>) {
            if (!merged.has(field)) merged.set(field, inherited)
          }
        }
      }
    }
    return new Map([...merged, ...own])
  }
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}

function broken(what: string, lineCounter: LineCounter, offset: number): SettingsError {
  const { line, col } = lineCounter.linePos(offset)
  const place = `line ${Math.max(line, 1)}, column ${Math.max(col, 1)}`
  return new SettingsError([
    {
      yamlPath: 'config.yml',
      message: `${what} at ${place}`,
      remedy: 'Correct the file there; nothing of it was used.',
    },
  ])
}
