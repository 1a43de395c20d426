import { StateError } from '../errors/state-error.ts'
import { type EntityRecord, type StateStore } from '../store/state-store.ts'
import { importedMap } from '../session/progress.ts'
import { idMapLine, isLineProblem, isNamedByStixId, readIdMapLine } from './id-map-line.ts'
import { noteRoutes } from './recall-routes.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Entities that are read, or written in one transaction, at a time. */
const pageSize = 1000

/** Problems of a file that are told in words; more are only counted. */
const maxToldProblems = 20

/** What came of an import. */
export interface IdMapImport {
  /** Lines that were read. Those of entities that were in the map already have replaced what it said of them. */
  readonly imported: number
  /** Of those, entities that are named by their STIX id alone: the connector finds them by it when it first meets them. */
  readonly byStixId: number
}

/**
 * What the connector remembers of what it has pushed: which entity has which id at the target. It can be written out, to
 * move a connector or to look into it, and read in, to take over from a connector that kept such a map of its own.
 *
 * It works on a store that is open. Exporting is safe while the connector runs, on a store opened as `read-only`; an
 * import needs it `exclusive`, with the connector stopped.
 *
 * @example
 * ```ts
 * import { IdMap, SqliteStore } from 'opencti-stream-connector'
 *
 * const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
 * const store = new SqliteStore({ directory: './state', connectorId })
 * await store.open(connectorId)
 * const formerly = [{ stixId: 'indicator--6b616fc1-1505-48e3-8b2c-0d19337bff38', externalId: 'ioc-17' }]
 * await new IdMap(store).import(() => formerly.map((line) => JSON.stringify(line)), { isComplete: true })
 * await store.close()
 * ```
 */
export class IdMap {
  readonly #store: StateStore

  constructor(store: StateStore) {
    this.#store = store
  }

  /** How many entities it knows. */
  count(): Promise<number> {
    return this.#store.countEntities()
  }

  /**
   * All entities in order of key, one line of JSON each, without the line break. Read in pages: while a connector runs,
   * what it changes meanwhile may or may not be among them.
   *
   * @throws StateError when the state cannot be read.
   */
  async *export(): AsyncGenerator<string> {
    let afterKey: string | undefined
    for (;;) {
      const page = await this.#store.entities({ afterKey, limit: pageSize })
      for (const record of page) yield idMapLine(record)
      if (page.length < pageSize) return
      afterKey = page.at(-1)!.key
    }
  }

  /**
   * Takes in lines as {@link export} writes them. Of a line only one of `key` (the internal id of OpenCTI) and `stixId` is
   * needed; empty lines are left out. All lines are read and checked before the first is written, so that a file that is
   * not in order changes nothing; then they are written in pages. A crash in between leaves a part of them: import the
   * same once more.
   *
   * @param lines answers the lines from the first on; asked twice.
   * @param options.isComplete whether the lines, with what is in the map already, name everything that was ever pushed: the
   * connector then skips deletes of anything else. Default: as it was.
   * @throws StateError `STATE_IMPORT_REFUSED` that names each line that is not in order; nothing is changed then.
   */
  async import(
    lines: () => AsyncIterable<string> | Iterable<string>,
    options: { readonly isComplete?: boolean | undefined } = {},
  ): Promise<IdMapImport> {
    const routes = await check(lines())
    const store = this.#store
    await noteRoutes(store, routes)
    const before = await store.value(storedValues.idMap)
    // While only a part is written the map is known to be none that could be relied on.
    await store.commit({ values: new Map([[storedValues.idMap, undefined]]) })
    let imported = 0
    let byStixId = 0
    for await (const page of pagesOf(lines())) {
      imported += page.length
      const namedByStixId = page.filter(isNamedByStixId).length
      byStixId += namedByStixId
      await store.commit({
        putEntities: page,
        ...(namedByStixId === 0 ? {} : { values: new Map([[storedValues.idMapByStixId, 'yes']]) }),
      })
    }
    const after = options.isComplete === true ? importedMap : before
    await store.commit({ values: new Map([[storedValues.idMap, after]]), durable: true })
    return { imported, byStixId }
  }
}

/** @returns the routes of the lines. */
async function check(lines: AsyncIterable<string> | Iterable<string>): Promise<ReadonlySet<string>> {
  const problems: string[] = []
  let count = 0
  /** Where each entity was named. */
  const seen = new Map<string, number>()
  const routes = new Set<string>()
  for await (const [number, text] of numbered(lines)) {
    const read = readIdMapLine(text)
    if (!isLineProblem(read)) routes.add(read.route ?? '')
    const problem = isLineProblem(read) ? read.problem : namedBefore(read.key, number, seen)
    if (problem === undefined) continue
    count++
    if (count <= maxToldProblems) problems.push(`line ${number} ${problem}`)
  }
  if (count === 0) return routes
  const more = count > maxToldProblems ? `; and ${count - maxToldProblems} more` : ''
  throw new StateError(
    'STATE_IMPORT_REFUSED',
    `The id map cannot be imported, and nothing of it was: ${problems.join('; ')}${more}. Correct the file and import it again.`,
  )
}

function namedBefore(key: string, number: number, seen: Map<string, number>): string | undefined {
  const before = seen.get(key)
  if (before !== undefined) return `names the same entity as line ${before}`
  seen.set(key, number)
  return undefined
}

async function* pagesOf(
  lines: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<readonly EntityRecord[]> {
  let page: EntityRecord[] = []
  for await (const [number, text] of numbered(lines)) {
    const read = readIdMapLine(text)
    if (isLineProblem(read)) {
      throw new StateError(
        'STATE_IMPORT_REFUSED',
        `The id map changed while it was imported: line ${number} ${read.problem}. Import it again.`,
      )
    }
    page.push(read)
    if (page.length < pageSize) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

/** Lines that are not empty, with their number from 1. */
async function* numbered(
  lines: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<readonly [number, string]> {
  let number = 0
  for await (const line of lines) {
    number++
    // Some programs begin a file with a byte order mark.
    const text = number === 1 ? line.replace(/^\uFEFF/, '') : line
    if (text.trim() !== '') yield [number, text]
  }
}
