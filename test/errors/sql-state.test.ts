import { describe, expect, it, test } from 'vitest'
import { errorFacts } from '../../src/errors/error-facts.ts'
import { statusOfSqlState } from '../../src/errors/sql-state.ts'
import { judge } from '../../src/errors/verdict.ts'

const nowMs = Date.UTC(2026, 8, 1, 8)

/** As pg and postgres throw it: the state is the code. */
const ofPostgres = (code: string) => Object.assign(new Error('failed'), { name: 'PostgresError', code })
/** As mysql2 throws it. */
const ofMySql = (sqlState: string, code: string) =>
  Object.assign(new Error('failed'), { code, errno: 1, sqlState })

describe('an error of an SQL database', () => {
  for (const [what, error, kind, ofTarget] of [
    ['a server that shuts down', ofPostgres('57P01'), 'retry', true],
    ['a server that starts', ofPostgres('57P03'), 'retry', true],
    ['a lost connection', ofPostgres('08006'), 'retry', true],
    ['too many connections', ofPostgres('53300'), 'retry', true],
    ['a full disk', ofPostgres('53100'), 'retry', true],
    ['a deadlock', ofPostgres('40P01'), 'retry', true],
    ['a serialization failure', ofPostgres('40001'), 'retry', true],
    ['a lock that is held', ofPostgres('55P03'), 'retry', true],
    ['a standby', ofPostgres('25006'), 'retry', true],
    ['a time limit', ofPostgres('57014'), 'retry', true],
    ['damaged data', ofPostgres('XX001'), 'retry', true],
    ['a wrong password', ofPostgres('28P01'), 'outage', true],
    ['a missing right', ofPostgres('42501'), 'outage', true],
    ['a missing database', ofPostgres('3D000'), 'outage', true],
    ['a value that does not fit', ofPostgres('22P05'), 'reject', false],
    ['a value that is too long', ofPostgres('22001'), 'reject', false],
    ['a row that an index cannot hold', ofPostgres('54000'), 'reject', false],
    ['a missing reference', ofPostgres('23503'), 'reject', false],
    ['a missing column', ofPostgres('42703'), 'reject', false],
    ['a refusal by a trigger', ofPostgres('P0001'), 'reject', false],
    ['a row that is there', ofPostgres('23505'), 'retry', false],
    ['MySQL, a deadlock', ofMySql('40001', 'ER_LOCK_DEADLOCK'), 'retry', true],
    ['MySQL, a value that is too long', ofMySql('22001', 'ER_DATA_TOO_LONG'), 'reject', false],
    ['MySQL, a wrong password', ofMySql('28000', 'ER_ACCESS_DENIED_ERROR'), 'outage', true],
    ['MySQL, which does not say', ofMySql('HY000', 'ER_UNKNOWN_ERROR'), 'retry', false],
    ['MySQL, cut off', { code: 'PROTOCOL_CONNECTION_LOST' }, 'retry', true],
    ['postgres, cut off', { code: 'CONNECTION_CLOSED' }, 'retry', true],
    ['postgres, too late', { code: 'CONNECT_TIMEOUT' }, 'retry', true],
    ['one that another error wraps', new Error('no', { cause: ofPostgres('57P01') }), 'retry', true],
  ] as const) {
    it(`${what}: ${kind}`, () => expect(judge(error, true, nowMs)).toMatchObject({ kind, ofTarget }))
  }

  it('of a row that is there counts like 409, so that create falls back to update', () => {
    expect(errorFacts(ofPostgres('23505'), nowMs).status).toBe(409)
  })

  it('of a status too counts by the status', () => {
    expect(errorFacts({ status: 429, code: '22001' }, nowMs).status).toBe(429)
  })
})

test('does not take other codes for a SQL state', () => {
  for (const code of ['EPIPE', 'EPERM', 'ENOENT', 'ER_DUP', '', '2200', '220011', '22oo1', 10071, undefined])
    expect(statusOfSqlState(code)).toBeUndefined()
})
