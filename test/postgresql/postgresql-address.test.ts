import { describe, expect, it } from 'vitest'
import { StateError } from '../../src/errors/state-error.ts'
import { parsePostgresqlUrl, placeOf } from '../../src/postgresql/postgresql-address.ts'
import { isAway } from '../../src/postgresql/postgresql-failure.ts'

describe('parsePostgresqlUrl', () => {
  it.each([
    ['postgres://ann@db/state', { user: 'ann', password: undefined, database: 'state' }, 'db:5432/state'],
    ['postgresql://ann:p%40ss@db:6432/state', { user: 'ann', password: 'p@ss' }, 'db:6432/state'],
    ['postgres://ann:a:b@db/', { password: 'a:b', database: 'ann' }, 'db:5432/ann'],
    ['postgres://ann@one:1,two:2,three/state', {}, 'one:1,two:2,three:5432/state'],
    ['postgres://ann@[::1]:6432/state', {}, '::1:6432/state'],
    ['postgres://ann@/state?host=/run/postgresql', {}, '/run/postgresql:5432/state'],
    [
      'postgres://ann@db/state?options=-csearch_path%3Dours',
      { options: '-csearch_path=ours' },
      'db:5432/state',
    ],
    ['postgres://db/state?user=ann&password=secret', { user: 'ann', password: 'secret' }, 'db:5432/state'],
  ])('reads %s', (url, parts, place) => {
    const address = parsePostgresqlUrl(url)
    expect(address).toMatchObject(parts)
    expect(placeOf(address)).toBe(place)
  })

  it.each([
    ['mysql://ann:secret@db/state', 'not a postgres://'],
    ['postgres://:secret@db/state', 'the user is missing'],
    ['postgres://ann:secret@db:99999/state', 'port'],
    ['postgres://ann:secret@db:x/state', 'host'],
    ['postgres://ann:se%cret@db/state', '%25'],
    ['postgres://ann:secret@db/state?sslmode=maybe', 'sslmode'],
    ['postgres://ann:secret@db/state?sllmode=require', 'sllmode'],
  ])('refuses %s without repeating it', (url, said) => {
    const read = () => parsePostgresqlUrl(url)
    expect(read).toThrow(said)
    expect(read).toThrow(/CONNECTOR_STATE_URL/)
    expect(read).not.toThrow(/secret|cret@/)
  })

  it.each([
    ['disable', { rejectUnauthorized: false }],
    ['require', { rejectUnauthorized: false }],
    ['verify-ca', { rejectUnauthorized: true }],
    ['verify-full', { rejectUnauthorized: true }],
  ])('verifies certificates as psql does with sslmode=%s', (mode, expected) => {
    const { ssl } = parsePostgresqlUrl(`postgres://ann@db/state?sslmode=${mode}`)
    const options = ssl.options()
    expect(options).toMatchObject(expected)
    expect(options.checkServerIdentity === undefined).toBe(mode === 'verify-full')
  })
})

describe('isAway', () => {
  it.each([
    ['a refused connection', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), true],
    ['a server that shuts down', Object.assign(new Error('bye'), { code: '57P01', severity: 'FATAL' }), true],
    ['too many connections', Object.assign(new Error('many'), { code: '53300', severity: 'FATAL' }), true],
    ['a wrong password', Object.assign(new Error('no'), { code: '28P01', severity: 'FATAL' }), false],
    ['an expired certificate', Object.assign(new Error('old'), { code: 'CERT_HAS_EXPIRED' }), false],
    [
      'a client library that is not installed',
      new StateError('STATE_UNREADABLE', 'npm install pg', { cause: new Error('not found') }),
      false,
    ],
  ])('knows that %s is or is not for a person: %o', (_, error, expected) => {
    expect(isAway(error)).toBe(expected)
  })
})
