import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SqliteStore, type ConnectorOptions, type DeadLetter } from 'opencti-stream-connector'
import { buildIndicator, Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { SiemConnector } from '../siem/connector.ts'
import { startSiem, type SiemServer } from '../siem/server.ts'
import { printAccount } from './account.ts'
import { BundleConnector, fatesByType, type Bundle } from './bundle.ts'
import { compare } from './compare.ts'
import { makeTrouble, type FaultPlan } from './faults.ts'
import { Happenings } from './happenings.ts'
import { ProgressLine } from './progress.ts'
import { type Screen } from './screen.ts'
import { Traffic } from './traffic.ts'

/** What happens in the demo. */
export interface Plan extends FaultPlan {
  /** What the platform holds at the start. */
  readonly knowledge: Iterable<StixObject> | Bundle
  /** Given when `knowledge` is a bundle of which every object is to be accounted for. */
  readonly bundle?: Bundle | undefined
  readonly changesPerSecond: number
  /** How long each answer of the SIEM takes, in milliseconds. */
  readonly latencyMs: number
}

/** How long the end of the work is waited for, in milliseconds. */
const maxSettleMs = 60_000
const pollMs = 20

/**
 * Runs platform, SIEM and connector through a plan and prints the account.
 *
 * @returns the differences between SIEM and platform, in words; none when all is well.
 */
export async function tellStory(plan: Plan, screen: Screen, signal: AbortSignal): Promise<readonly string[]> {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'opencti-demo-'))
  try {
    await using simulator = await Simulator.start({ heartbeatMs: 1000 })
    await using siem = await startSiem({ latencyMs: plan.latencyMs })
    return await play(plan, { simulator, siem, screen, stateDirectory }, signal)
  } finally {
    await rm(stateDirectory, { recursive: true, force: true })
  }
}

interface Stage {
  readonly simulator: Simulator
  readonly siem: SiemServer
  readonly screen: Screen
  readonly stateDirectory: string
}

async function play(plan: Plan, stage: Stage, signal: AbortSignal): Promise<readonly string[]> {
  const { simulator, siem, screen, stateDirectory } = stage
  simulator.load(plan.knowledge)
  const caughtUp = simulator.entities().length
  const happenings = new Happenings(screen)
  const traffic = new Traffic(simulator)
  const connector = makeConnector(plan, {
    env: simulator.environment({
      MY_CONNECTOR_API_BASE_URL: siem.url,
      MY_CONNECTOR_API_KEY: siem.apiKey,
      CONNECTOR_STATE_DIR: stateDirectory,
      // An operator's choice: nobody wants to watch a pause of half a minute.
      CONNECTOR_OUTAGE_PROBE_MAX_MS: '1000',
    }),
    // Nobody's config.yml has a part in this.
    directory: stateDirectory,
    logger: happenings.logger,
    onNotice: happenings.onNotice,
  })
  const ended = new AbortController()
  connector.finished.catch((error: unknown) => ended.abort(error))
  const stop = AbortSignal.any([signal, ended.signal])
  const progress = new ProgressLine(screen, () => connector.status())
  let poisoned: string
  try {
    progress.phase = 'catch-up'
    progress.start()
    await connector.start()
    await until(() => !connector.status().catchingUp && connector.status().inFlight === 0, stop)
    progress.phase = 'live'
    traffic.start(plan.changesPerSecond)
    poisoned = await makeTrouble(plan, { simulator, siem, traffic, screen }, stop)
    traffic.stop()
    progress.phase = 'finishing'
    // Events come in order: when the last one is in the SIEM, all have been received.
    const last = traffic.create(buildIndicator('domain', { seed: 99_999, name: 'the last event' }))
    await until(() => siem.has(last) && connector.status().inFlight === 0, stop)
  } finally {
    traffic.stop()
    progress.stop()
    await connector.stop()
  }
  const status = connector.status()
  const deadLetters = await deadLettersIn(stateDirectory, simulator.connectorId)
  const deadLettered = new Set(deadLetters.flatMap(({ key }) => key ?? []))
  const types = plan.bundle === undefined ? SiemConnector.defaults.filter.types : undefined
  const comparison = compare({ simulator, siem: siem.entries(), types, deadLettered })
  const differences = [
    ...comparison.differences,
    ...deadLetters
      .filter(({ key }) => key !== poisoned)
      .map(
        ({ entityId, error }) => `${entityId ?? 'a frame'}: is a dead letter, but should not be (${error})`,
      ),
    ...(deadLettered.has(poisoned) ? [] : ['the poison event: is no dead letter, but should be']),
  ]
  printAccount({
    screen,
    status,
    caughtUp,
    traffic: traffic.counts,
    happenings,
    deadLetters,
    comparison: { ...comparison, differences },
    bundleFates: plan.bundle && fatesByType(plan.bundle, simulator, comparison),
  })
  return differences
}

function makeConnector(plan: Plan, options: ConnectorOptions): SiemConnector {
  return plan.bundle === undefined ? new SiemConnector(options) : new BundleConnector(options)
}

async function until(isReached: () => boolean, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + maxSettleMs
  // Too late is no error: the comparison then says what is missing.
  while (!isReached() && performance.now() < deadlineMs) await delay(pollMs, undefined, { signal })
}

async function deadLettersIn(directory: string, connectorId: string): Promise<readonly DeadLetter[]> {
  const store = new SqliteStore({ directory, connectorId })
  await store.open(connectorId)
  try {
    return await store.deadLetters({ limit: 1000 })
  } finally {
    await store.close()
  }
}
