import { describe, test } from 'vitest'
import { acceptTarget } from 'opencti-stream-connector/testing'
import { DocumentStore } from './document-store.ts'

describe.each(['GoodConnector', 'LooksFirst', 'Batches', 'Values', 'WholeList'])('%s', async (name) => {
  const store = await DocumentStore.start()
  acceptTarget({
    test,
    connector: new URL(`./connectors.ts#${name}`, import.meta.url),
    size: 20,
    kills: 2,
    target: {
      address: { setting: 'STORE_URL', url: store.url },
      read: () => store.read(),
      reset: () => store.reset(),
    },
  })
})
