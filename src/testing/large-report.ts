import { type StixInput } from './knowledge/platform-shape.ts'

/** A report of so many bytes; its `number` tells it from others. */
export function largeReport(bytes: number, number: number, nowMs: number): StixInput {
  // With its share of characters outside ASCII, so that chunks are cut inside them.
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
