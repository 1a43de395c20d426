import { ItemList } from '../../src/items/item-list.ts'
import { SqliteStore } from '../../src/store/sqlite-store.ts'

/** Writes so many claims into a state, two on each key, and reads them back as a list. */
const [directory, total] = [process.argv[2]!, Number(process.argv[3])]
const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const store = new SqliteStore({ directory, connectorId })
await store.open(connectorId)
const perCommit = 10_000
for (let begin = 0; begin < total; begin += perCommit) {
  const putClaims = Array.from({ length: perCommit }, (_, index) => {
    const number = begin + index
    const key = `domain-name:d${(number >> 1) * 7919}.example`
    return { entity: `entity-${number}`, key, item: JSON.stringify({ key, score: number % 100 }) }
  })
  await store.commit({ putClaims })
}
const list = new ItemList(store, undefined, undefined)
const signal = new AbortController().signal
const { count } = await list.digest(signal)
let last = ''
let isSorted = true
for await (const text of list.texts(signal)) {
  const { key } = JSON.parse(text) as { key: string }
  isSorted &&= key > last
  last = key
}
await store.close()
console.log(JSON.stringify({ count, isSorted }))
