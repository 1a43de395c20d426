import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { SqliteStore, type ConnectorNotice } from 'opencti-stream-connector'
import { until } from '../integration/until.ts'
import { minimalEnvironment } from '../settings/minimal-environment.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { ChannelConnector, Channels, indicator, live } from './channels.ts'

const connectorId = minimalEnvironment.CONNECTOR_ID

/** Overwrites one leaf page of the table `entity`. */
function damage(directory: string): void {
  const file = join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.sqlite'))!,
  )
  const database = new DatabaseSync(file)
  database.exec('pragma wal_checkpoint(truncate)')
  const { page_size: pageSize } = database.prepare('pragma page_size').get() as { page_size: number }
  const { page } = database
    .prepare("select max(pageno) as page from dbstat where name = 'entity' and pagetype = 'leaf'")
    .get() as { page: number }
  database.close()
  const handle = openSync(file, 'r+')
  writeSync(handle, Buffer.alloc(pageSize, 0x5a), 0, pageSize, (page - 1) * pageSize)
  closeSync(handle)
}

test('a damaged page of the id map is an error in the log, not ready and in the status; events of other entities go on', async () => {
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
  damage(directory)
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
  expect(
    connector.lines.filter((line) => line.startsWith('A part of the id map cannot be read')),
  ).toHaveLength(1)
  expect(connector.status()).toMatchObject({ deadLettered: 0, outage: undefined })
  void Promise.allSettled(ended)
})
