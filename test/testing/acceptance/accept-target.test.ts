import { describe, test } from 'vitest'
import { acceptTarget } from 'opencti-stream-connector/testing'
import { DocumentStore } from './document-store.ts'

describe('a connector that does it right', async () => {
  const store = await DocumentStore.start()
  acceptTarget({
    test,
    connector: new URL('./connectors.ts#GoodConnector', import.meta.url),
    target: {
      address: { setting: 'STORE_URL', url: store.url },
      read: () => store.read(),
      reset: () => store.reset(),
    },
  })
})
