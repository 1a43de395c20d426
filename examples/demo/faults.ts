import { setTimeout as delay } from 'node:timers/promises'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { type SiemServer } from '../siem/server.ts'
import { type Screen } from './screen.ts'
import { type Traffic } from './traffic.ts'

/** What goes wrong on the way, and when. */
export interface FaultPlan {
  /** How long the live part takes, in milliseconds; the faults are spread over it. */
  readonly liveMs: number
  /** How long the SIEM is down, in milliseconds. */
  readonly downMs: number
}

/** What the faults were made with. */
export interface FaultTargets {
  readonly simulator: Simulator
  readonly siem: SiemServer
  readonly traffic: Traffic
  readonly screen: Screen
}

/** The name that the SIEM refuses. */
export const poisonName = 'an indicator that no SIEM accepts'

/**
 * Cuts the stream twice, takes the SIEM down, and sends a poison event, while life goes on.
 *
 * @returns the internal id of the poison entity.
 */
export async function makeTrouble(
  { liveMs, downMs }: FaultPlan,
  { simulator, siem, traffic, screen }: FaultTargets,
  signal: AbortSignal,
): Promise<string> {
  const startMs = performance.now()
  const at = (share: number) =>
    delay(Math.max(0, liveMs * share - (performance.now() - startMs)), undefined, { signal })
  const say = (text: string) => screen.line(`   ${screen.style('magenta', '⚡')} ${text}`)

  await at(0.15)
  say('the stream is cut in the middle of the next frame')
  simulator.faults.cutNextFrame('middle')
  await at(0.35)
  say(`the SIEM goes down for ${(downMs / 1000).toFixed(1)} s`)
  await siem.goDown()
  await delay(downMs, undefined, { signal })
  await siem.comeBack()
  await at(0.72)
  say('an event comes that the SIEM refuses for ever')
  siem.poisonName = poisonName
  const poisoned = traffic.create(buildIndicator('domain', { seed: 66_666, name: poisonName }))
  await at(0.85)
  say('the stream is cut again, between the two bytes of an “ü”')
  simulator.faults.cutNextFrame('in-character')
  traffic.create(buildIndicator('domain', { seed: 77_777, name: 'an indicator from Zürich' }))
  await at(1)
  return poisoned
}
