// Every npm script starts here: it must also run, and speak clearly, on a Node that is too old for the rest.
import('../src/check-node.cjs').catch((error) => {
  console.error(error.message)
  console.error('Run it through npm after "npm ci", which brings Node 24 with it, or install a newer Node.')
  process.exitCode = 1
})
