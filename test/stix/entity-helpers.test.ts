import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { asEntity, type Entity } from '../../src/stix/types/entity.ts'
import { extensionOf, fieldOf } from '../../src/stix/types/entity-extensions.ts'
import { entityKeyOf, octiIdOf, octiTypeOf, previousStixIdOf } from '../../src/stix/read/entity-ids.ts'
import {
  createdAtOf,
  isExpired,
  isInferred,
  isRevoked,
  updatedAtOf,
  validUntilOf,
} from '../../src/stix/read/entity-life.ts'
import { nameOf } from '../../src/stix/read/entity-name.ts'
import { confidenceOf, scoreOf, severityOf } from '../../src/stix/read/entity-rating.ts'
import {
  createdByOf,
  descriptionOf,
  externalReferencesOf,
  killChainOf,
  labelsOf,
} from '../../src/stix/read/entity-text.ts'
import { mitreExtension, openCtiExtension } from '../../src/stix/types/extensions.ts'
import { cvssOf } from '../../src/stix/read/cvss.ts'
import { hashesOf } from '../../src/stix/types/hashes.ts'
import { author, expected, reference, sample, samples } from './samples.ts'

const entity = (fields: Record<string, unknown>): Entity =>
  asEntity({ id: 'x-a--1', type: 'x-a', ...fields })!
const withOpenCti = (fields: Record<string, unknown>) =>
  entity({ extensions: { [openCtiExtension]: fields } })

describe.each(samples)('$type', ({ entity: document, octiType, place, name }) => {
  test('has ids, type and dates', () => {
    expect(octiIdOf(document)).toBe(expected.internalId)
    expect(entityKeyOf(document)).toBe(expected.internalId)
    expect(octiTypeOf(document)).toBe(octiType)
    expect(createdAtOf(document)).toBe(expected.createdAt)
    expect(updatedAtOf(document)).toBe(expected.updatedAt)
    expect(isInferred(document)).toBe(false)
    expect(isRevoked(document)).toBe(false)
  })

  test('has its descriptive fields, wherever they are', () => {
    expect(labelsOf(document)).toEqual(expected.labels)
    expect(scoreOf(document)).toBe(expected.score)
    expect(descriptionOf(document)).toBe(expected.description)
    expect(createdByOf(document)).toBe(author)
    expect(externalReferencesOf(document)).toEqual([reference])
    expect(confidenceOf(document)).toBe(place === 'domain' ? 75 : undefined)
    expect(nameOf(document)).toBe(name)
  })

  test('has nothing that is not in the document', () => {
    const bare = asEntity({ id: document.id, type: document.type })!
    expect(octiIdOf(bare)).toBeUndefined()
    expect(entityKeyOf(bare)).toBe(document.id)
    expect(labelsOf(bare)).toEqual([])
    expect(externalReferencesOf(bare)).toEqual([])
    expect(killChainOf(bare)).toEqual([])
    expect(hashesOf(bare)).toEqual({})
    for (const ask of [scoreOf, confidenceOf, descriptionOf, createdByOf, createdAtOf, updatedAtOf, cvssOf]) {
      expect(ask(bare)).toBeUndefined()
    }
    expect(nameOf(bare)).toBe(document.id)
  })
})

test.each([
  ['indicator', 'Indicator'],
  ['course-of-action', 'Course-Of-Action'],
  ['case-rfi', 'Case-Rfi'],
  ['file', 'StixFile'],
  ['ipv4-addr', 'IPv4-Addr'],
  ['ssh-key', 'SSH-Key'],
  ['x-opencti-hostname', 'Hostname'],
  ['sighting', 'stix-sighting-relationship'],
  ['identity', undefined],
  ['threat-actor', undefined],
  ['x-thing', undefined],
  ['__proto__', undefined],
])('derives the OpenCTI type of %s without the extension', (type, octiType) => {
  expect(octiTypeOf(entity({ type }))).toBe(octiType)
})

describe('labelsOf', () => {
  test('reads the shape of the specification', () => {
    expect(labelsOf(entity({ labels: [{ value: 'a' }, { value: 'b' }] }))).toEqual(['a', 'b'])
  })

  test('leaves out invalid labels and keeps the others', () => {
    expect(labelsOf(entity({ labels: ['a', null, 7, '', ['b'], { value: 3 }, { value: 'c' }] }))).toEqual([
      'a',
      'c',
    ])
  })

  test('copies no list of labels, however long', () => {
    const labels = Array.from({ length: 100_000 }, (_, index) => `label ${index}`)
    expect(labelsOf(entity({ labels }))).toBe(labels)
  })
})

describe('scoreOf and confidenceOf', () => {
  test.each([
    [0, 0],
    [100, 100],
    ['80', 80],
    [' 40.5 ', 40.5],
    [-1, undefined],
    [101, undefined],
    ['', undefined],
    ['0x10', undefined],
    ['1e1', undefined],
    [null, undefined],
    [[50], undefined],
    [true, undefined],
  ])('reads %j as %j', (value, number) => {
    expect(scoreOf(withOpenCti({ score: value }))).toBe(number)
    expect(confidenceOf(entity({ confidence: value }))).toBe(number)
  })
})

describe('severityOf', () => {
  const table = { 40: 'medium', 0: 'low', 90: 'critical', 70: 'high' } as const

  test.each([
    [0, 'low'],
    [39.9, 'low'],
    [40, 'medium'],
    [89, 'high'],
    [100, 'critical'],
    [undefined, undefined],
  ])('gives score %j the severity %j', (score, severity) => {
    expect(severityOf(withOpenCti({ score }), table)).toBe(severity)
  })

  test('gives none below the lowest threshold', () => {
    expect(severityOf(withOpenCti({ score: 10 }), { 50: 'high' })).toBeUndefined()
  })
})

describe('the life of an entity', () => {
  const end = '2026-12-01T08:00:00.000Z'
  const endMs = Date.parse(end)

  test('ends at the first moment at which an indicator is no longer valid', () => {
    expect(isExpired(entity({ valid_until: end }), endMs - 1)).toBe(false)
    expect(isExpired(entity({ valid_until: end }), endMs)).toBe(true)
  })

  test.each([undefined, null, 'soon', '80', '2026-02-30T00:00:00Z', 1_700_000_000_000, {}])(
    'never ends with %j',
    (value) => {
      expect(validUntilOf(entity({ valid_until: value }))).toBeUndefined()
      expect(isExpired(entity({ valid_until: value }), Number.MAX_SAFE_INTEGER)).toBe(false)
    },
  )

  test.each(['UTC', 'America/New_York', 'Asia/Tokyo'])(
    'takes a time without a zone as UTC in %s too',
    (zone) => {
      const script = `import { isExpired, validUntilOf } from ${JSON.stringify(new URL('../../src/stix/read/entity-life.ts', import.meta.url).href)}
      const entity = { id: 'indicator--1', type: 'indicator', valid_until: '2026-11-26T09:00:00' }
      const endMs = Date.UTC(2026, 10, 26, 9)
      console.log(isExpired(entity, endMs - 1), isExpired(entity, endMs), Date.parse(validUntilOf(entity)) === endMs)`
      const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
        env: { ...process.env, TZ: zone, NODE_NO_WARNINGS: '1' },
        encoding: 'utf8',
      })
      expect(output.trim()).toBe('false true true')
    },
  )

  test.each([
    '2026-12-01T08:00Z',
    '2026-12-01 08:00:00Z',
    '2026-12-01t08:00:00.000000000000z',
    '2026-12-01T10:00:00.000+02:00',
    '2026-12-01T10:00:00+0200',
    '2026-12-01T08:00:00',
    '2026-12-01 08:00:00.000000',
  ])('is read from valid_until in the form %j', (valid_until) => {
    expect(isExpired(entity({ valid_until }), endMs - 1)).toBe(false)
    expect(isExpired(entity({ valid_until }), endMs)).toBe(true)
    expect(Date.parse(validUntilOf(entity({ valid_until }))!)).toBe(endMs)
  })

  test('is revoked or inferred only by true', () => {
    expect(isRevoked(entity({ revoked: true }))).toBe(true)
    expect(isRevoked(entity({ revoked: 'true' }))).toBe(false)
    expect(isInferred(withOpenCti({ is_inferred: true }))).toBe(true)
    expect(isInferred(withOpenCti({ is_inferred: 1 }))).toBe(false)
  })

  test('has the dates of the specification, then those of the author', () => {
    const created_at = '2026-01-14T10:00:00.000Z'
    expect(createdAtOf(entity({ created_at, created: '2020-01-01T00:00:00Z' }))).toBe(created_at)
    expect(updatedAtOf(entity({ updated_at: created_at }))).toBe(created_at)
    expect(createdAtOf(entity({ created: '2020-01-01T00:00:00Z' }))).toBe('2020-01-01T00:00:00Z')
    expect(updatedAtOf(entity({ modified: '2020-01-01' }))).toBe('2020-01-01')
  })
})

describe('extensionOf and fieldOf', () => {
  test('finds an extension only by an existing id', () => {
    const document = entity({ extensions: { [mitreExtension]: { id: 'T1059' }, broken: [1] } })
    expect(extensionOf(document, mitreExtension)).toEqual({ id: 'T1059' })
    for (const id of ['broken', 'constructor', '__proto__', 'toString']) {
      expect(extensionOf(document, id)).toBeUndefined()
    }
  })

  test('looks in the extensions first, except for type and id, which are always at the top', () => {
    const { entity: document } = sample('ipv4-addr', 'IPv4-Addr', 'standard', 'x', {
      score: 1,
      x_mine: 'kept',
    })
    expect(fieldOf(document, 'score')).toBe(expected.score)
    expect(fieldOf(document, 'x_mine')).toBe('kept')
    expect(fieldOf(document, 'type')).toBe('ipv4-addr')
    expect(fieldOf(document, 'id')).toBe(document.id)
    expect(fieldOf(document, 'constructor')).toBeUndefined()
  })
})

test('createdByOf reads a reference in every shape', () => {
  for (const fields of [
    { created_by_ref: author },
    { created_by_ref: { value: author, x_opencti_internal_id: 'q' } },
    { createdBy: { standard_id: author, id: 'q' } },
  ])
    expect(createdByOf(entity(fields))).toBe(author)
  for (const created_by_ref of [7, {}, [], null, { value: 7 }])
    expect(createdByOf(entity({ created_by_ref }))).toBeUndefined()
})

test('killChainOf reads entities at the top and relationships in the extension', () => {
  const phases = [{ kill_chain_name: 'mitre-attack', phase_name: 'execution' }]
  expect(killChainOf(entity({ kill_chain_phases: [...phases, null, { phase_name: 'x' }] }))).toEqual(phases)
  expect(killChainOf(withOpenCti({ kill_chain_phases: phases }))).toEqual(phases)
})

test('cvssOf gives old and new keys the same names', () => {
  const scores = { baseScore: 9.8, baseSeverity: 'CRITICAL', attackVector: 'N' }
  const old = withOpenCti({ base_score: 9.8, base_severity: 'CRITICAL', attack_vector: 'N' })
  const now = withOpenCti({
    cvss_base_score: '9.8',
    cvss_base_severity: 'CRITICAL',
    cvss_attack_vector: 'N',
    cvss_v4_base_score: 8,
    cvss_v2_vector: 'AV:N',
    base_score: 1,
  })
  expect(cvssOf(old)).toEqual({ v3: scores })
  expect(cvssOf(now)).toEqual({ v2: { vector: 'AV:N' }, v3: scores, v4: { baseScore: 8 } })
  expect(cvssOf(withOpenCti({ cvss_base_score: 11 }))).toBeUndefined()
})

test('previousStixIdOf finds the former id in the reverse patch', () => {
  const id = 'malware--00000000-0000-5000-8000-000000000009'
  expect(previousStixIdOf([null, { op: 'replace', path: '/id', value: id }])).toBe(id)
  expect(previousStixIdOf([{ op: 'replace', path: '/name', value: 'x' }])).toBeUndefined()
  expect(previousStixIdOf('no patch')).toBeUndefined()
})

describe('hashesOf', () => {
  test.each([
    ['MD5', 'MD5'],
    ['md5', 'MD5'],
    ['SHA1', 'SHA-1'],
    ['sha-1', 'SHA-1'],
    ['SHA256', 'SHA-256'],
    ["'SHA-256'", 'SHA-256'],
    ['sha_512', 'SHA-512'],
    ['SHA3-256', 'SHA3-256'],
    ['ssdeep', 'SSDEEP'],
    ['Tlsh', 'TLSH'],
    ['imphash', 'IMPHASH'],
  ])('knows %s as %s', (spelling, name) => {
    expect(hashesOf(entity({ hashes: { [spelling]: 'ab' } }))).toEqual({ [name]: 'ab' })
    expect(hashesOf(entity({ hashes: [{ algorithm: spelling, hash: 'ab' }] }))).toEqual({ [name]: 'ab' })
  })

  test('writes digests in lowercase and keeps the case of fuzzy hashes', () => {
    expect(hashesOf(entity({ hashes: { MD5: ' ABCD ', SSDEEP: '3:AbC' } }))).toEqual({
      MD5: 'abcd',
      SSDEEP: '3:AbC',
    })
  })

  test('ignores names that could reach a prototype', () => {
    const hashes = JSON.parse('{"__proto__":"x","MD5":7,"":"y","SHA1":""}') as unknown
    const found = hashesOf(entity({ hashes }))
    expect(found).toEqual({})
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
  })
})

test.each([null, [], 'text', 7, {}, { id: 1, type: 'a' }, { id: 'a', type: '' }])(
  '%j is not an entity',
  (document) => {
    expect(asEntity(document)).toBeUndefined()
  },
)

test('an author that platforms before 5.1 sent as an object is the same author', () => {
  const created_by_ref = { value: author, x_opencti_internal_id: 'q' }
  expect(createdByOf(entity({ created_by_ref }))).toBe(author)
})
