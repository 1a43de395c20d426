import { chmodSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { ChannelConnector, Channels, indicator, live } from '../fixtures/channels.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

test.for([
  [0o777, 1],
  [0o1777, 1],
  [0o770, 0],
  [0o700, 0],
] as const)('reports a state folder of mode %o at the start: %i times', async ([mode, times]) => {
  const directory = await temporaryFolder()
  chmodSync(directory, mode)
  const store = new SqliteStore({ directory, connectorId: minimalEnvironment.CONNECTOR_ID })
  const connector = ChannelConnector.of({ channels: new Channels(), store, defaults: { routes: {} } })
  await connector.processMessage(live('create', indicator('one', undefined), '1000-0'))
  expect(connector.lines.filter((line) => /can write to the state folder/.test(line))).toHaveLength(times)
})
