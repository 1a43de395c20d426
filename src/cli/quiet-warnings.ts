/** What Node calls experimental and this package uses: to store the state, and to create a repository in JavaScript. */
const used = /^(?:SQLite|stripTypeScriptTypes) /

/**
 * Suppresses Node's warnings that something is experimental which this package uses. Users of the command line
 * cannot do anything about it. All other warnings are printed. Only for the command line: a library must not
 * decide this for its program.
 */
export function hideWarnings(): void {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && used.test(warning.message)) return
    for (const listener of listeners) listener(warning)
  })
}
