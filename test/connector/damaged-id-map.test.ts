import { expect, test } from 'vitest'
import { SqliteStore, type ConnectorNotice } from 'opencti-stream-connector'
import { damage } from '../fixtures/damage.ts'
import { until } from '../fixtures/until.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { ChannelConnector, Channels, indicator, live } from '../fixtures/channels.ts'

const connectorId = minimalEnvironment.CONNECTOR_ID

test('a damaged page of the id map is an error in the log, not ready and in the status, and events of other entities continue', async () => {
  const directory = await temporaryFolder()
  const store = () => new SqliteStore({ directory, connectorId })
  const first = store()
  await first.open(connectorId)
  await first.commit({
    putEntities: Array.from({ length: 1000 }, (_, index) => ({
      key: `entity-${index}`,
      stixId: `indicator--entity-${index}`,
      position: '1000-0',
    })),
  })
  await first.close()
  damage(directory, 'entity')
  const notices: ConnectorNotice[] = []
  const channels = new Channels()
  const connector = ChannelConnector.of({
    channels,
    store: store(),
    defaults: { routes: {} },
    onNotice: (notice) => notices.push(notice),
  })
  for (let index = 0; index < 1000; index++) channels.heldBy('').set(`entity-${index}`, {} as never)
  const ended = Array.from({ length: 1000 }, (_, index) =>
    connector.processMessage(live('update', indicator(`entity-${index}`, undefined), `2000-${index}`)),
  )
  await until('the others', () => channels.linesOf('').length > 500)
  await until('the trouble', () => connector.status().stateProblem !== undefined)
  expect(connector.status().stateProblem).toMatch(/is damaged .* Move .* away and start again/)
  await until('the notice', () => notices.some(({ kind }) => kind === 'state-not-read'))
  expect(connector.lines.filter((line) => line.startsWith('Part of the id map cannot be read'))).toHaveLength(
    1,
  )
  expect(connector.status()).toMatchObject({ deadLettered: 0, outage: undefined })
  void Promise.allSettled(ended)
})
