import { describe } from 'vitest'
import { hasPostgresql } from '../../postgresql/start-postgresql.ts'
import { postgresqlState } from './storm-state.ts'
import { testStorm } from './storm.ts'

describe.skipIf(!hasPostgresql)('PostgreSQL', () =>
  testStorm('single', {
    name: 'PostgreSQL that crashes and breaks off',
    make: (_, connectorId) => postgresqlState(connectorId),
  }),
)
