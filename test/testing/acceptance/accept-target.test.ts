import { test } from 'vitest'
import { acceptTarget } from 'opencti-stream-connector/testing'
import { startDocumentStore } from './document-store.ts'

const store = await startDocumentStore()

acceptTarget({
  test,
  connector: new URL('./connectors.ts#GoodConnector', import.meta.url),
  size: 12,
  kills: 2,
  target: {
    address: { setting: 'STORE_URL', url: store.url },
    read: () => store.read(),
    reset: () => store.reset(),
    history: () => store.history,
  },
})
