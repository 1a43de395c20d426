/**
 * Keeps one warning of Node 22 from being printed: that `node:sqlite` is experimental. It is what the state is kept in, and
 * nothing that a person at a terminal can do something about. All other warnings are printed as ever. Only for the command
 * line: a library must not decide this for the program that it is in.
 */
export function hideSqliteWarning(): void {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && warning.message.startsWith('SQLite ')) return
    for (const listener of listeners) listener(warning)
  })
}
