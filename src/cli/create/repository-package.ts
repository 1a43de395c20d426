import { type ExamplePackage } from './packaged-example.ts'

/** What a package.json is made of. */
export interface RepositoryPackageOptions {
  readonly name: string
  readonly example: ExamplePackage
  /** What gets this package. */
  readonly sdk: string
  readonly isJavaScript: boolean
}

/** Node runs TypeScript from this version on. */
const typeScriptNode = '>=22.18'

/** Versions of what a TypeScript repository needs beside its example's own. */
const nodeTypes = { '@types/node': '22.20.5' }

/** package.json of a new repository, from that of its example. */
export function repositoryPackage({ name, example, sdk, isJavaScript }: RepositoryPackageOptions): object {
  const { opencti: _, dependencies, devDependencies, scripts, engines, ...rest } = example
  const { types, ...plainScripts } = scripts
  const { typescript, ...plainDevDependencies } = devDependencies
  const usesTypes = !isJavaScript && typescript !== undefined
  return {
    ...rest,
    name,
    version: '0.1.0',
    engines: isJavaScript ? engines : { ...engines, node: typeScriptNode },
    scripts: usesTypes ? { ...plainScripts, types: types ?? 'tsc' } : plainScripts,
    dependencies: { ...dependencies, 'opencti-stream-connector': sdk },
    devDependencies: usesTypes ? { ...nodeTypes, ...devDependencies } : plainDevDependencies,
  }
}
