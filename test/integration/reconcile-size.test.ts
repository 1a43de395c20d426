import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { type ListedItem } from 'opencti-stream-connector'
import { Simulator } from 'opencti-stream-connector/testing'
import { serve } from '../fixtures/loopback.ts'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'
import { makeMirror, Target } from '../fixtures/mirror.ts'

const count = 100_000
const keyOf = (index: number) => `0b9c3a2e-4f0f-4c8e-9d8c-${index.toString(16).padStart(12, '0')}`

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

test('compares a hundred thousand entities in a few megabytes', async () => {
  // A platform that only knows of every entity but each thousandth.
  const url = await serve((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const { variables } = JSON.parse(body) as {
        variables: { filters: { filters: { values: string[] }[] } }
      }
      const ids = variables.filters.filters[0]!.values
      const there = ids.filter((id) => Number.parseInt(id.slice(-12), 16) % 1000 !== 0)
      const edges = there.map((id) => ({ node: { id, standard_id: `malware--${id}` } }))
      response.end(JSON.stringify({ data: { stixObjectOrStixRelationships: { edges } } }))
    })
  })
  const state = stateDirectory()
  const store = state.make()
  await store.open(connectorId)
  await store.commit({
    putEntities: Array.from({ length: count }, (_, index) => ({
      key: keyOf(index),
      stixId: `malware--${keyOf(index)}`,
      externalId: `target-${index}`,
    })),
  })
  await store.close()
  const deleted = new Set<string>()
  let mostBytes = 0
  const simulator = await Simulator.start()
  const target = new Target()
  const mirror = makeMirror(simulator, {
    target,
    store: state.make(),
    env: { OPENCTI_URL: url, CONNECTOR_ID: connectorId },
    onCall: (_, { externalId }) => void deleted.add(externalId!),
    list: function* (): Generator<ListedItem> {
      for (let index = count - 1; index >= 0; index--) {
        if (index % 25_000 === 0) {
          collect()
          mostBytes = Math.max(mostBytes, usedBytes() - before)
        }
        yield `target-${index}`
      }
      yield 'foreign'
    },
  })
  collect()
  const before = usedBytes()
  const report = await mirror.reconcile()
  expect(report).toMatchObject({
    known: count,
    listed: count + 1,
    gone: count / 1000,
    withdrawn: count / 1000,
    missing: 0,
    orphans: 1,
    refused: [],
  })
  expect(deleted).toEqual(
    new Set(Array.from({ length: count / 1000 }, (_, index) => `target-${index * 1000}`)),
  )
  expect(mostBytes).toBeLessThan(20_000_000)
  await simulator.close()
}, 60_000)

function usedBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
