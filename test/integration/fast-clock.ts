// By its file, so that children can have it too, which know no package of this name.
import { systemClock, type Clock } from '../../src/index.ts'

/**
 * A clock whose waits are shorter than they say, so that a test sees pings, back-off and patience within moments. The
 * wall time stays real: it is compared with what the platform writes.
 */
export function fastClock(factor = 50): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * factor,
    // The longest waits, such as the one between two pings, are what a test waits for most.
    schedule: (delayMs, callback) =>
      systemClock.schedule(delayMs / (delayMs >= 40_000 ? factor * 4 : factor), callback),
  }
}
