// Every npm script starts here: it must also run, and speak clearly, on a Node that is too old for the rest.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 13)) {
  console.error(
    `This needs Node 22.13 or newer, but runs on ${process.version}. ` +
      'Run it through npm after "npm ci" (which brings Node 24 with it as the development dependency "node"), ' +
      'or install a newer Node.',
  )
  process.exit(1)
}
