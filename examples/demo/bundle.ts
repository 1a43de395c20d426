import { readFile } from 'node:fs/promises'
import { entityKeyOf, toGeneric, type ConnectorDefaults, type Entity } from 'opencti-stream-connector'
import { openCtiPropertiesOf, type Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { SiemConnector } from '../siem/connector.ts'
import { type Comparison } from './compare.ts'

/** A STIX bundle, as far as the demo looks into it. */
export interface Bundle {
  readonly type: 'bundle'
  readonly objects: readonly StixObject[]
}

/** The connector of the example, open for every type, with the generic transformation. */
export class BundleConnector extends SiemConnector {
  static override readonly defaults = {
    ...SiemConnector.defaults,
    filter: { types: [] },
  } satisfies ConnectorDefaults

  override transform(entity: Entity) {
    return { ...toGeneric(entity), opencti_id: entityKeyOf(entity) }
  }
}

/** Says what is wrong with a file that was given, and what would be right. */
export class BundleError extends Error {}

/** @throws BundleError when there is no such file, or no STIX bundle in it. */
export async function readBundle(path: string): Promise<Bundle> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const problem =
      code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code ?? 'unknown error'})`
    throw new BundleError(`${path}: ${problem}. Name a file with a STIX 2.1 bundle.`, { cause: error })
  }
  const content = parse(text, path)
  const { type, objects } = Object(content) as { type?: unknown; objects?: unknown }
  if (type !== 'bundle' || !Array.isArray(objects)) {
    throw new BundleError(`${path}: this is JSON, but no STIX bundle: {"type": "bundle", "objects": […]}.`)
  }
  if (objects.length === 0) throw new BundleError(`${path}: the bundle has no objects.`)
  const bad = objects.findIndex((object) => !isStixObject(object))
  if (bad !== -1) {
    throw new BundleError(
      `${path}: object ${bad + 1} of the bundle has no "type" or no "id" (as TYPE--UUID).`,
    )
  }
  return { type, objects: objects as StixObject[] }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    const detail = error instanceof Error ? error.message.split('\n')[0] : ''
    throw new BundleError(`${path}: this is no JSON (${detail}). Name a file with a STIX 2.1 bundle.`, {
      cause: error,
    })
  }
}

function isStixObject(object: unknown): boolean {
  const { type, id } = Object(object) as { type?: unknown; id?: unknown }
  return typeof type === 'string' && typeof id === 'string' && id.startsWith(`${type}--`)
}

/** What became of the objects of a bundle: how many of each type met which fate. Every object is in it once. */
export function fatesByType(
  bundle: Bundle,
  simulator: Simulator,
  { fates }: Comparison,
): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const rows = new Map<string, Map<string, number>>()
  const seen = new Set<string>()
  for (const { id, type } of bundle.objects) {
    const stored = simulator.entity(id)
    const fate = seen.has(id)
      ? 'another version of the same object'
      : stored === undefined
        ? 'replaced by the platform’s own marking'
        : (fates.get(openCtiPropertiesOf(stored).id) ?? 'differs')
    seen.add(id)
    const row = rows.get(type) ?? new Map<string, number>()
    row.set(fate, (row.get(fate) ?? 0) + 1)
    rows.set(type, row)
  }
  return rows
}
