import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, resolve } from 'node:path'

/** Why there can be no repository in this folder; undefined if there can. */
export async function folderProblem(given: string): Promise<string | undefined> {
  const folder = resolve(given)
  const name = basename(folder)
  if (!/^[a-z0-9][a-z0-9._-]{0,213}$/.test(name))
    return `"${name}" cannot be the name of a package. Use lowercase letters, digits, and dashes.`
  if (!existsSync(folder)) return undefined
  const content = await readdir(folder).catch(() => undefined)
  if (content === undefined) return `${folder} is a file. Name a folder that does not exist yet.`
  if (content.every((entry) => entry === '.git')) return undefined
  return `${folder} is not empty. Name a folder that does not exist yet.`
}
