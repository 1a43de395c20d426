import { randomUUID } from 'node:crypto'
import { buildIndicator, indicatorKinds } from 'opencti-stream-connector/testing'

/** The size of a frame of an ordinary indicator, in bytes. */
const frameBytes = 1536

/** What one write to the socket holds: the kernel gathers frames to about this when the reader is the slower one. */
const chunkBytes = 65_536

/** When the first event happened, in milliseconds since 1970; the others follow by one each. */
export const firstMs = Date.UTC(2026, 8, 1)

/**
 * Frames of the live stream as the platform sends them, each an indicator of its own of 1.5 KB, ready to be written
 * (OpenCTI platform, graphql/sseMiddleware.js).
 *
 * @param start the number of the first one, which its position is made from.
 */
export function liveFrames(count: number, start = 0): Buffer[] {
  const templates = indicatorKinds.map((kind, index) => {
    const indicator = buildIndicator(kind, { seed: index + 1 })
    const internalId = internalIdOf(indicator)
    return { json: JSON.stringify(indicator), id: indicator.id, internalId }
  })
  const chunks: Buffer[] = []
  let text = ''
  for (let index = 0; index < count; index++) {
    const { json, id, internalId } = templates[index % templates.length]!
    // Ids are random on a platform, and the id map feels the difference to ascending ones.
    const data = json.replace(id, `indicator--${randomUUID()}`).replace(internalId, randomUUID())
    text += frameOf(data, start + index, frameBytes)
    if (text.length >= chunkBytes) {
      chunks.push(Buffer.from(text))
      text = ''
    }
  }
  if (text !== '') chunks.push(Buffer.from(text))
  return chunks
}

/** The frame of one report as large as told, in chunks. */
export function largeFrame(index: number, bytes: number): Buffer[] {
  const report = {
    id: `report--${randomUUID()}`,
    spec_version: '2.1',
    type: 'report',
    name: `Report ${index}`,
    published: '2026-09-01T00:00:00.000Z',
    object_refs: [],
    extensions: {},
  }
  const frame = Buffer.from(frameOf(JSON.stringify(report), index, bytes))
  const chunks: Buffer[] = []
  for (let at = 0; at < frame.length; at += chunkBytes) chunks.push(frame.subarray(at, at + chunkBytes))
  return chunks
}

/** One frame, filled up to `bytes` by its message. */
function frameOf(entity: string, index: number, bytes: number): string {
  const before = `id: ${firstMs + index}-0\nevent: create\ndata: {"version":"4","type":"create","scope":"external","data":${entity},"origin":{"user_id":"88ec0c6a-13ce-5e39-b486-354fe4a7084f"},"message":"`
  const after = '"}\n\n'
  return `${before}${'created '.repeat(bytes / 8).slice(0, Math.max(0, bytes - before.length - after.length))}${after}`
}

function internalIdOf(indicator: { readonly extensions?: unknown }): string {
  const extensions = Object.values(indicator.extensions as Record<string, { readonly id?: string }>)
  return extensions.find(({ id }) => id !== undefined)!.id!
}
