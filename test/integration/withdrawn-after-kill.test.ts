import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { StreamConnector, type Entity, type EventContext } from 'opencti-stream-connector'
import { buildIndicator, type StixChanges } from 'opencti-stream-connector/testing'
import { startSimulator } from '../fixtures/stage.ts'
import { connectorId, stateDirectory } from '../fixtures/state-directory.ts'
import { until } from '../fixtures/until.ts'

test.each<[string, StixChanges]>([
  ['revoked', { revoked: true }],
  ['expired', { valid_until: '2020-01-01T00:00:00.000Z' }],
])(
  'withdraws what a killed run pushed during its catch-up and what has been %s since',
  async (reason, changes) => {
    const target = new Map<string, string | undefined>()
    let isKilled = false
    class Target extends StreamConnector {
      static override readonly defaults = {
        filter: { types: ['indicator'] },
        on: { expired: 'delete' },
      } as const
      transform = (entity: Entity) => entity
      override async create(entity: Entity): Promise<void> {
        target.set(entity.id, 'here')
        // The target has it, and nobody learns of that.
        if (isKilled) await new Promise(() => {})
      }
      override delete({ entityId, reason }: EventContext): void {
        target.set(entityId, reason)
      }
    }
    const simulator = await startSimulator()
    const indicator = buildIndicator('domain')
    simulator.load([indicator])
    const state = stateDirectory()
    const start = async () => {
      const connector = new Target({
        env: simulator.environment({ CONNECTOR_ID: connectorId, CONNECTOR_STOP_GRACE_MS: '50' }),
        directory: tmpdir(),
        store: state.make(),
      })
      onTestFinished(() => connector.stop())
      await connector.start()
      return connector
    }
    isKilled = true
    const killed = await start()
    await until('the first call', () => target.size === 1)
    await killed.stop()
    isKilled = false
    simulator.update(indicator.id, changes)
    await start()
    await until('the withdrawal', () => target.get(indicator.id) === reason)
    expect(target.size).toBe(1)
  },
)
