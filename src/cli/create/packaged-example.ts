import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from './package-root.ts'

/** The smallest example, for those who name none. */
export const usualExample = 'webhook'

/** package.json of an example, as far as it is read. */
export interface ExamplePackage {
  readonly name: string
  readonly description: string
  readonly engines: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly opencti: ExampleNeeds
}

/** What an example is tested against, and what has to be installed for that. */
export interface ExampleNeeds {
  readonly target: string
  /** Packages of Debian. */
  readonly debian?: readonly string[]
  /** Packages of PyPI. */
  readonly pypi?: readonly string[]
  /** A program in the folder that installs the rest. */
  readonly install?: string
  /** Fields of the manifest for OpenCTI's catalog. */
  readonly manifest?: Readonly<Record<string, unknown>>
}

/** An example in this package. */
export interface PackagedExample {
  readonly name: string
  readonly folder: string
  readonly package: ExamplePackage
}

/** All examples in this package, by name. */
export async function packagedExamples(): Promise<ReadonlyMap<string, PackagedExample>> {
  const place = join(packageRoot(), 'examples')
  const names = (await readdir(place)).filter((name) => existsSync(join(place, name, 'package.json')))
  const examples = names.toSorted().map(async (name) => {
    const folder = join(place, name)
    const text = await readFile(join(folder, 'package.json'), 'utf8')
    return [name, { name, folder, package: JSON.parse(text) as ExamplePackage }] as const
  })
  return new Map(await Promise.all(examples))
}

/** How the server of an example is installed; undefined if nothing has to be. */
export function installationOf({ debian = [], pypi = [], install }: ExampleNeeds): string | undefined {
  const steps = [
    ...(debian.length > 0 ? [`apt-get install ${debian.join(' ')}`] : []),
    ...(pypi.length > 0 ? [`pip install ${pypi.join(' ')}`] : []),
    ...(install === undefined ? [] : [install]),
  ]
  return steps.length === 0 ? undefined : steps.join(', ')
}
