import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeEvent,
  isEventName,
  isUnreadable,
  type EventName,
  type StreamEvent,
} from '../../src/opencti/stream-event.ts'
import { openCtiExtension } from '../../src/stix/types/extensions.ts'

const position = { ms: 1_700_000_000_000, seq: 3 }
const decode = (data: unknown, name: EventName = 'create') => decodeEvent(name, data, position, 42)

/** What was read, or a failing test. */
function read(data: unknown, name?: EventName): StreamEvent {
  const event = decode(data, name)
  if (isUnreadable(event)) throw new Error(event.problem)
  return event
}

const entity = {
  id: 'malware--e15e371b-d202-559b-afea-0103ad3b341d',
  type: 'malware',
  extensions: { [openCtiExtension]: { id: 'b2f9b6de-5c5d-43e7-9a18-3d2e4f500006' } },
}

describe('a frame name', () => {
  test('is about an entity in four cases', () => {
    expect(['create', 'update', 'delete', 'merge'].every(isEventName)).toBe(true)
  })

  test.for([
    'connected',
    'heartbeat',
    'consumer_metrics',
    'error',
    'no-recover',
    '',
    'Create',
    'constructor',
    '__proto__',
  ])('is not about one if it is %j', (name) => {
    expect(isEventName(name)).toBe(false)
  })
})

describe('an event that can be read', () => {
  test.for([undefined, null, 'x', 5, [], {}, { sources: null }, { sources: [] }, { sources: [null, 5] }])(
    'can be a merge with the context %j',
    (context) => {
      expect(read({ data: entity, context }, 'merge').name).toBe('merge')
    },
  )

  test('has the name of the frame, whatever the envelope says', () => {
    expect(read(JSON.stringify({ type: 'update', data: entity }), 'delete').name).toBe('delete')
  })

  test('is known by the internal id, which never changes', () => {
    const event = read(JSON.stringify({ data: entity }))
    expect(event).toMatchObject({ key: 'b2f9b6de-5c5d-43e7-9a18-3d2e4f500006', position, bytes: 42, entity })
  })

  test.for(['x_opencti_id', 'x_opencti_internal_id'])(
    'is known by the internal id that platforms before 5.1 sent as %s',
    (name) => {
      const old = { id: 'malware--1', type: 'malware', [name]: 'int-1' }
      expect(read({ data: old })).toMatchObject({ key: 'int-1' })
      expect(read({ data: old }, 'delete')).toMatchObject({ key: 'int-1' })
    },
  )

  test.for([
    undefined,
    null,
    5,
    'text',
    [],
    {},
    { [openCtiExtension]: null },
    { [openCtiExtension]: { id: '' } },
    { [openCtiExtension]: { id: 7 } },
  ])('is known by its STIX id when its extensions are %j', (extensions) => {
    expect(read({ data: { ...entity, extensions } }).key).toBe(entity.id)
  })

  test('keeps the whole envelope', () => {
    const envelope = {
      version: '4',
      type: 'update',
      data: entity,
      context: { patch: [] },
      event_id: '1-0',
      new: true,
    }
    expect(read(JSON.stringify(envelope)).envelope).toEqual(envelope)
  })

  test('can be parsed already, and can be the entity alone', () => {
    expect(read({ data: entity }).entity).toBe(entity)
    expect(read(entity).entity).toBe(entity)
    expect(read(entity).envelope).toEqual({ data: entity })
  })

  test.for([
    [{ referer: 'init-dependencies' }, true],
    [{ referer: 'init-create' }, false],
    [{ referer: 'https://opencti.example/dashboard' }, false],
    [{}, false],
    [null, false],
    ['init-dependencies', false],
    [undefined, false],
  ] as const)('with the origin %j has the dependency %j', ([origin, isDependency]) => {
    expect(read({ data: entity, origin }).isDependency).toBe(isDependency)
  })
})

describe('an event that cannot be read says why', () => {
  test.for([
    ['', /not valid JSON/],
    ['{"data":', /not valid JSON/],
    ['null', /not a JSON object/],
    ['"text"', /not a JSON object/],
    ['17', /not a JSON object/],
    ['[{"id":"malware--1"}]', /not a JSON object/],
    ['{"data":null}', /no "data" object/],
    ['{"data":[]}', /no "data" object/],
    ['{"data":"malware--1"}', /no "data" object/],
    ['{}', /no "id"/],
    ['{"data":{"type":"malware"}}', /no "id"/],
    ['{"data":{"id":"","type":"malware"}}', /no "id"/],
    ['{"data":{"id":7,"type":"malware"}}', /no "id"/],
    ['{"data":{"id":"malware--1"}}', /no "type"/],
    ['{"data":{"id":"malware--1","type":""}}', /no "type"/],
    ['{"data":{"id":"malware--1","type":{}}}', /no "type"/],
  ] as const)('for %s', ([data, problem]) => {
    const event = decode(data)
    expect(isUnreadable(event) && event.problem).toMatch(problem)
  })

  test.for([{}, 'malware--1', 5, true])('for a merge whose sources are %j', (sources) => {
    const event = decode({ data: entity, context: { sources } }, 'merge')
    expect(event).toMatchObject({
      problem: expect.stringMatching(/"sources"/) as string,
      entityId: entity.id,
    })
    const inside = decode({ data: { ...entity, sources } }, 'merge')
    expect(inside).toMatchObject({ problem: expect.stringMatching(/"sources"/) as string })
    // Nobody looks at the sources of anything else.
    expect(isUnreadable(decode({ data: entity, context: { sources } }, 'update'))).toBe(false)
  })

  test('and keeps what is known of the entity', () => {
    expect(decode('{"data":{"type":"malware"}}')).toMatchObject({ entityType: 'malware' })
    expect(decode('{"data":{"id":"malware--1"}}')).toMatchObject({ entityId: 'malware--1' })
  })

  test('and never repeats what was received', () => {
    const event = decode('{"token":"very-secret"')
    expect(JSON.stringify(event)).not.toContain('very-secret')
  })
})

test('never throws on hostile data, and only passes what has an id, a type and a key', () => {
  const value = fc.anything({ withBigInt: false, withNullPrototype: true, maxDepth: 3 })
  const almost = fc.record(
    {
      data: fc.oneof(
        value,
        fc.record(
          {
            id: fc.oneof(fc.string(), value),
            type: fc.oneof(fc.string(), value),
            extensions: fc.oneof(value, fc.record({ [openCtiExtension]: value })),
          },
          { requiredKeys: [] },
        ),
      ),
      origin: value,
      context: value,
      type: value,
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        value,
        almost,
        fc.json(),
        fc.string(),
        almost.map((it) => JSON.stringify(it)),
      ),
      (data) => {
        const event = decode(data)
        if (isUnreadable(event)) {
          expect(event.problem).not.toBe('')
          return
        }
        expect(event.entity.id).toBeTypeOf('string')
        expect(event.entity.type).toBeTypeOf('string')
        expect(event.entity.type).not.toBe('')
        expect(event.key).toMatch(/[^]/)
        expect(event.isDependency).toBeTypeOf('boolean')
      },
    ),
    { numRuns: 2000 },
  )
})
