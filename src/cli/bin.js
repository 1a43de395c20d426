#!/usr/bin/env node
// What the package installs as "opencti-stream". Read by any Node, it loads the rest only when that can be read too.
import('./check-node.cjs').then(
  () => import('./command-line.js'),
  (error) => {
    console.error(error.message)
    process.exitCode = 1
  },
)
