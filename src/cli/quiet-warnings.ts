/**
 * Suppresses one warning of Node 22: that `node:sqlite`, which stores the state, is experimental. Users of
 * the command line cannot do anything about it. All other warnings are printed. Only for the command line: a
 * library must not decide this for its program.
 */
export function hideSqliteWarning(): void {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && warning.message.startsWith('SQLite ')) return
    for (const listener of listeners) listener(warning)
  })
}
