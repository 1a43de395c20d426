// Run by `node --test`, not by Vitest. The first argument names the connector.
import { after, test } from 'node:test'
import { acceptTarget } from 'opencti-stream-connector/testing'
import { startDocumentStore } from './document-store.ts'

const store = await startDocumentStore()
after(() => store[Symbol.asyncDispose]())

acceptTarget({
  test,
  connector: new URL(`./connectors.ts#${process.env['CONNECTOR']}`, import.meta.url),
  env: () => store.env,
  size: 12,
  kills: 2,
  target: { read: () => store.read(), reset: () => store.reset() },
})
