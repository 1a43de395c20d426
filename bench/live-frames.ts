import { createHash } from 'node:crypto'
import { buildIndicator, indicatorKinds } from 'opencti-stream-connector/testing'

/** A stream of the benchmark, described by its name: `<kind>-<count>-<bytes per frame>-<bytes per chunk>`. */
export interface FrameStream {
  /**
   * - `create`: each entity is new.
   * - `update`: changes of the same entities, in another order.
   * - `hot`: updates of a hundred entities.
   */
  readonly kind: 'create' | 'update' | 'hot'
  readonly count: number
  readonly frameBytes: number
  /** Minimum size of a write to the socket; with 0, each frame is a write. */
  readonly chunkBytes: number
}

/** Time of the first event, in milliseconds since 1970; each later event is one millisecond later. */
export const firstMs = Date.UTC(2026, 8, 1)

/** Updates happen after all creates. */
const updatesAfter = 10_000_000

const hotEntities = 100

/** Frames of at least this size are reports, because indicators are smaller. */
const reportBytes = 100_000

/** Number of frames of the largest size in a stream. */
const differentReports = 20

export function nameOf({ kind, count, frameBytes, chunkBytes }: FrameStream): string {
  return [kind, count, frameBytes, chunkBytes].join('-')
}

export function streamOf(name: string): FrameStream {
  const [kind = '', ...numbers] = name.split('-')
  const [count = 0, frameBytes = 0, chunkBytes = 0] = numbers.map(Number)
  if (!/^(create|update|hot)$/.test(kind) || !(count > 0)) throw new Error(`There is no stream ${name}.`)
  return { kind: kind as FrameStream['kind'], count, frameBytes, chunkBytes }
}

/** The position of the last event of a stream, in milliseconds. */
export function lastMs({ kind, count }: FrameStream): number {
  return firstMs + count + (kind === 'create' ? 0 : updatesAfter)
}

/** Chunks of frames in the platform's format (OpenCTI platform, graphql/sseMiddleware.js). */
export function* framesOf(stream: FrameStream): Generator<Buffer> {
  const { kind, count, frameBytes, chunkBytes } = stream
  const templates = indicatorKinds.map((indicatorKind, index) => {
    const indicator = buildIndicator(indicatorKind, { seed: index + 1 })
    return { json: JSON.stringify(indicator), id: indicator.id, internalId: internalIdOf(indicator) }
  })
  const event = kind === 'create' ? 'create' : 'update'
  const start = kind === 'create' ? 0 : updatesAfter
  let text = ''
  for (let index = 0; index < count; index++) {
    const entity = entityOf(stream, index)
    if (frameBytes >= reportBytes) {
      yield* cut(Buffer.from(frameOf(event, reportOf(entity), start + index, frameBytes)), chunkBytes)
      continue
    }
    const { json, id, internalId } = templates[entity % templates.length]!
    const data = json
      .replace(id, `indicator--${idOf('stix', entity)}`)
      .replace(internalId, idOf('internal', entity))
    text += frameOf(event, data, start + index, frameBytes)
    if (text.length < chunkBytes) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}

/** The number of the event's entity. */
function entityOf({ kind, count, frameBytes }: FrameStream, index: number): number {
  if (kind === 'hot') return (index * 7919) % hotEntities
  // A prime that divides none of the usual counts: every entity comes once, far from its predecessors.
  if (kind === 'update') return (index * 7919) % count
  return frameBytes > 1_000_000 ? index % differentReports : index
}

function reportOf(entity: number): string {
  return JSON.stringify({
    id: `report--${idOf('stix', entity)}`,
    spec_version: '2.1',
    type: 'report',
    name: `Report ${entity}`,
    published: '2026-09-01T00:00:00.000Z',
    object_refs: [],
    extensions: {},
  })
}

/** Ids are random on a platform; ascending ones would make the id map faster. */
function idOf(of: 'stix' | 'internal', entity: number): string {
  const hash = createHash('md5').update(`${of}${entity}`).digest('hex')
  return hash.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5')
}

function* cut(frame: Buffer, chunkBytes: number): Generator<Buffer> {
  const size = chunkBytes === 0 ? frame.length : chunkBytes
  for (let at = 0; at < frame.length; at += size) yield frame.subarray(at, at + size)
}

/** One frame, padded to `bytes` in its message, or in the description of a report. */
function frameOf(event: string, entity: string, index: number, bytes: number): string {
  const origin = '"origin":{"user_id":"88ec0c6a-13ce-5e39-b486-354fe4a7084f"}'
  const before = `id: ${firstMs + index}-0\nevent: ${event}\ndata: {"version":"4","type":"${event}","scope":"external","data":${entity},${origin},"message":"`
  const after = '"}\n\n'
  return `${before}${'created '.repeat(bytes / 8).slice(0, Math.max(0, bytes - before.length - after.length))}${after}`
}

function internalIdOf(indicator: { readonly extensions?: unknown }): string {
  const extensions = Object.values(indicator.extensions as Record<string, { readonly id?: string }>)
  return extensions.find(({ id }) => id !== undefined)!.id!
}
