/** A platform in a separate process, which tests stop and continue. */
import { buildIndicator, Simulator } from '../../../src/testing/index.ts'

const simulator = await Simulator.start({ heartbeatMs: 30, idleReadMs: 30 })
process.on('message', ({ first, last }: { first: number; last: number }) => {
  for (let seed = first; seed <= last; seed++) simulator.create(buildIndicator('ipv4', { seed }))
})
process.send!(simulator.environment())
