'use strict'
// The first thing that every file of the built package loads. A Node that is too old must be able to read it: all that an
// ES module imports is linked before any of it runs, so that only what stands in a file of its own can speak first.
const minimum = [22, 13]
// Helpers over entities are of use in a browser too.
const version = typeof process === 'object' && process.versions && process.versions.node
const running = String(version).split('.').map(Number)
if (running[0] < minimum[0] || (running[0] === minimum[0] && running[1] < minimum[1])) {
  const error = new Error(
    `opencti-stream-connector needs Node ${minimum.join('.')} or newer, but this is Node ${version} (${process.execPath}).`,
  )
  // Where it was found out helps nobody.
  error.stack = `Error: ${error.message}`
  throw error
}
