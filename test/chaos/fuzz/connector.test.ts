import * as fc from 'fast-check'
import { MemoryStore } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect } from 'vitest'
import { until } from '../../fixtures/until.ts'
import { badFrame } from './frames.ts'
import { makeConnector, startPlatform } from './stage.ts'
import { testFuzz } from './test-fuzz.ts'

const inputs = fc.array(fc.record({ bad: badFrame, cutBehind: fc.boolean() }), { minLength: 1, maxLength: 8 })

testFuzz('delivers every event between bad frames, and again after a restart', inputs, async (input) => {
  await using simulator = await startPlatform()
  const store = new MemoryStore()
  let seed = 1
  for (const half of [input.slice(0, input.length / 2), input.slice(input.length / 2)]) {
    const connector = makeConnector(simulator, { store })
    try {
      await connector.start()
      await simulator.waitForConnection()
      const ids: string[] = []
      for (const { bad, cutBehind } of half) {
        simulator.faults.raw(`\n\n${Buffer.from(bad).toString('latin1')}\n\n`)
        ids.push(simulator.create(buildIndicator('ipv4', { seed: seed++ })).id)
        if (cutBehind) simulator.faults.cut()
      }
      ids.push(simulator.create(buildIndicator('ipv4', { seed: seed++ })).id)
      await until('every event', () => ids.every((id) => connector.callsOf(id).length > 0))
      await until('the end of all work', () => connector.status().inFlight === 0)
      const { received, delivered, skipped, deadLettered, state } = connector.status()
      expect(received).toBe(delivered + skipped + deadLettered)
      expect(state).toBe('running')
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    } finally {
      await connector.stop()
    }
  }
})
