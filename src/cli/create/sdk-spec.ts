import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { version } from '../../util/version.ts'
import { packageRoot } from './package-root.ts'

/** What a repository depends on to get this package. */
export interface SdkSpec {
  /** The value for `dependencies`. */
  readonly spec: string
  /** A tarball to copy into the repository, which then needs nothing outside of it. */
  readonly tarball?: string | undefined
}

/**
 * How a new repository gets this package: as given (a version, a URL, the path of a tarball or folder), or else from
 * where this copy was installed, or else this version from the registry.
 *
 * @param folder of the repository.
 */
export async function sdkSpec(folder: string, given: string | undefined): Promise<SdkSpec> {
  const wanted = given ?? (await installedFrom())
  if (wanted === undefined) return { spec: version }
  const path = resolve(wanted.replace(/^file:/, ''))
  if (!existsSync(path)) {
    if (/^(?:file:|\.{0,2}\/)|\.tgz$/.test(wanted) && !/^https?:/.test(wanted))
      throw new Error(
        `${path} does not exist. --sdk takes a version, a URL, or the path of a tarball or folder.`,
      )
    return { spec: wanted }
  }
  if ((await stat(path)).isFile()) return { spec: `file:${basename(path)}`, tarball: path }
  return { spec: `file:${relative(folder, path).replaceAll(sep, '/')}` }
}

/** Where npm installed this copy from, unless that is a registry: npm notes it in `node_modules/.package-lock.json`. */
async function installedFrom(): Promise<string | undefined> {
  const root = packageRoot()
  const modules = dirname(root)
  if (basename(modules) !== 'node_modules') return undefined
  try {
    const lock = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string }>
    }
    const resolved = lock.packages[`node_modules/${basename(root)}`]?.resolved
    if (resolved === undefined) return undefined
    if (resolved.startsWith('file:')) return resolve(dirname(modules), resolved.slice('file:'.length))
    return /\/-\/[^/]+\.tgz$/.test(resolved) ? undefined : resolved
  } catch {
    return undefined
  }
}
