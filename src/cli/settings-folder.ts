import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Folder of `config.yml` or `.env`, as the connector finds it at startup: next to its file, one folder up, or
 * the working directory. Without a file, the working directory.
 */
export function settingsFolder(modulePath?: string): string {
  const here = process.cwd()
  if (modulePath === undefined) return here
  const beside = dirname(realpathSync(modulePath))
  const folders = [beside, dirname(beside), here]
  for (const name of ['config.yml', '.env']) {
    const folder = folders.find((candidate) => existsSync(join(candidate, name)))
    if (folder !== undefined) return folder
  }
  return here
}
