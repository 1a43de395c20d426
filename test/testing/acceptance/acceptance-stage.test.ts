import { expect, test } from 'vitest'
import { AcceptanceStage } from '../../../src/testing/acceptance/acceptance-stage.ts'
import { entityKinds } from '../../../src/testing/acceptance/entity-kind.ts'
import { startDocumentStore } from './document-store.ts'

test(
  'has settled only when everything that happened is in the state, dead letters too',
  { timeout: 60_000 },
  async () => {
    await using store = await startDocumentStore()
    await using stage = await AcceptanceStage.open(
      {
        connector: new URL('./connectors.ts#GoodConnector', import.meta.url),
        target: {
          address: { setting: 'STORE_URL', url: store.url },
          read: () => store.read(),
          reset: () => store.reset(),
        },
      },
      1,
    )
    const kinds = entityKinds.filter(({ type }) => type === 'malware')
    stage.fill(kinds, 1, {})
    stage.proxy!.trouble = (exchange) =>
      exchange.text().includes('refused') ? { kind: 'answer', status: 422 } : undefined
    stage.start()
    await stage.settle()
    for (let count = 1; count <= 10; count++) {
      stage.history.create()
      stage.history.create(undefined, { name: `refused ${count}` })
      await stage.settle()
      expect(await stage.deadLetters()).toHaveLength(count)
    }
  },
)
