import { buildIndicator, Simulator } from 'opencti-stream-connector/testing'

/**
 * A simulated platform in a separate process whose stream has lost its history: `node bench/catch-up-server.ts <entities>`.
 * Writes the settings of a connector to standard output.
 */
const count = Number(process.argv[2])
const simulator = await Simulator.start()
process.on('disconnect', () => process.exit())
// Of hashes: other values repeat among so many.
const entities = Array.from({ length: count }, (_, index) => buildIndicator('sha256', { seed: index + 1 }))
simulator.load(entities)
console.log(JSON.stringify(simulator.environment()))
