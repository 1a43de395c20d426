import { type Simulator } from 'opencti-stream-connector/testing'

/** Number of disturbances, by kind. */
export interface Disturbances {
  cuts: number
  cutsInFrame: number
  duplicateGroups: number
  lateHeartbeats: number
}

export const noDisturbances = (): Disturbances => ({
  cuts: 0,
  cutsInFrame: 0,
  duplicateGroups: 0,
  lateHeartbeats: 0,
})

/** Disturbs the open streams at random, but mostly does nothing. */
export function disturbStream(simulator: Simulator, random: () => number, counts: Disturbances): void {
  const { faults } = simulator
  const luck = random()
  if (luck < 0.2) {
    faults.cutNextFrame('middle')
    counts.cutsInFrame++
  } else if (luck < 0.3) {
    faults.cut()
    counts.cuts++
  } else if (luck < 0.4) {
    faults.cutBeforeMain()
    counts.cuts++
  } else if (luck < 0.5) {
    faults.duplicateGroups(3)
    counts.duplicateGroups += 3
  } else if (luck < 0.6) {
    faults.heartbeatsBeforeMain(3)
    counts.lateHeartbeats += 3
  }
}
