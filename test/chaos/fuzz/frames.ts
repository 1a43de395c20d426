import * as fc from 'fast-check'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { hostileJson } from './hostile-json.ts'
import { mutated, mutation } from './mutations.ts'

/** Ids that the platform never writes, and one or two that it could. */
const hostileId = fc.oneof(
  fc.constantFrom(
    '',
    '0-0',
    '1-0',
    '-',
    '1-',
    '-1',
    '1-1-1',
    '１-０',
    '0x10-0',
    '1e3-0',
    'NaN-0',
    ' 1-0',
    '\0',
  ),
  fc.constantFrom('9'.repeat(15), '9'.repeat(400), `${'9'.repeat(400)}-0`, `1-${'9'.repeat(400)}`),
  fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, '')),
)

const eventName = fc.oneof(
  fc.constantFrom(
    'create',
    'update',
    'delete',
    'merge',
    'heartbeat',
    'connected',
    'consumer_metrics',
    'error',
  ),
  fc.constantFrom('no-recover', 'sync', '__proto__', 'constructor', 'toString', '', 'create\0', 'CREATE'),
)

const oddLine = fc.constantFrom(
  ':',
  'data',
  'id',
  'event',
  'retry: 99999999999999',
  'retry: -1',
  'x: y',
  '\uFEFFid: 5',
)

/** The text of an odd frame. */
const oddFrame = fc
  .record({ id: hostileId, event: eventName, data: hostileJson, more: fc.array(oddLine, { maxLength: 2 }) })
  .map(({ id, event, data, more }) => [`id: ${id}`, `event: ${event}`, ...more, `data: ${data}`].join('\n'))

/** A valid frame to mutate. */
export function goodFrame(seed: number, id: string): string {
  const envelope = {
    version: '4',
    type: 'create',
    scope: 'external',
    message: '–',
    data: buildIndicator('ipv4', { seed }),
  }
  return `id: ${id}\nevent: create\ndata: ${JSON.stringify(envelope)}`
}

/** What may come between two good frames: odd frames, and mutated good ones. */
export const badFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  oddFrame.map((text) => Buffer.from(text)),
  fc
    .tuple(fc.nat(50), fc.array(mutation, { minLength: 1, maxLength: 6 }))
    .map(([seed, mutations]) => mutated(Buffer.from(goodFrame(seed, '1-0')), mutations)),
)
