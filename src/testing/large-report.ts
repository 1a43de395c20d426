import { type StixInput } from './knowledge/platform-shape.ts'

/** A report of about this size; `number` makes it unique. */
export function largeReport(bytes: number, number: number, nowMs: number): StixInput {
  // Includes non-ASCII characters, so that chunks are cut inside them.
  const sentence = 'Lorem ipsum dolör sit amet. '
  return {
    type: 'report',
    name: `A report of ${bytes} bytes, number ${number}`,
    published: new Date(nowMs).toISOString(),
    report_types: ['threat-report'],
    object_refs: [],
    x_opencti_content: sentence.repeat(Math.ceil(bytes / Buffer.byteLength(sentence))),
  }
}
