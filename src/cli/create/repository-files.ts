import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { envSample } from './env-sample.ts'
import { ciWorkflow, dockerIgnore, gitIgnore, typeScriptConfig, vitestConfig } from './generated-files.ts'
import { javascriptOf } from './javascript-of.ts'
import { metadataFiles } from './metadata-files.ts'
import { type PackagedExample } from './packaged-example.ts'
import { repositoryPackage } from './repository-package.ts'

/** What a repository is made of. */
export interface RepositoryOptions {
  readonly name: string
  readonly example: PackagedExample
  readonly sdk: string
  readonly isJavaScript: boolean
}

/** What is copied from the folder of an example. Nobody's settings, keys, or state. */
const copied =
  /^(?:README\.md|Dockerfile|compose\.yml|config\.yml\.sample|[a-z-]+\.sh|[a-z-]+(?:\.test)?\.ts)$/

/** The files of a new repository, by path. */
export async function repositoryFiles(options: RepositoryOptions): Promise<ReadonlyMap<string, string>> {
  const { name, example, sdk, isJavaScript } = options
  const names = (await readdir(example.folder)).filter((file) => copied.test(file)).toSorted()
  const own = isJavaScript ? inJavaScript(names) : (text: string) => text
  const packageJson = own(json(repositoryPackage({ name, example: example.package, sdk, isJavaScript })))
  const files = new Map([['package.json', packageJson]])
  for (const file of names) {
    const text = await readFile(join(example.folder, file), 'utf8')
    const isCode = file.endsWith('.ts')
    const code = isCode && isJavaScript ? javascriptOf(text) : text
    files.set(isCode ? own(file) : file, own(file === 'README.md' ? withInnerLinks(code, example) : code))
  }
  files.set('.env.sample', envSample(files.get('config.yml.sample')!))
  files.set('.gitignore', gitIgnore)
  files.set('.dockerignore', dockerIgnore)
  files.set('.github/workflows/ci.yml', ciWorkflow(example.package.opencti, isJavaScript))
  files.set(own('vitest.config.ts'), vitestConfig)
  if (!isJavaScript) files.set('tsconfig.json', json(typeScriptConfig))
  for (const [path, content] of await metadataFiles(example, JSON.parse(packageJson) as object))
    files.set(path, json(content))
  return files
}

/** Replaces the names of TypeScript files by those that they have in JavaScript. */
function inJavaScript(names: readonly string[]): (text: string) => string {
  const stems = [...names, 'vitest.config.ts']
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -'.ts'.length))
  const pattern = new RegExp(`\\b(${stems.join('|').replaceAll('.', '\\.')})\\.ts\\b`, 'g')
  return (text) => text.replaceAll(pattern, '$1.js')
}

/** Links that leave the folder of the example lead to the installed package. */
function withInnerLinks(text: string, { name }: PackagedExample): string {
  const place = 'node_modules/opencti-stream-connector'
  return text
    .replaceAll(/\]\(\.\.\/\.\.\//g, `](${place}/`)
    .replaceAll(/\]\(\.\.\//g, `](${place}/examples/`)
    .replaceAll(`](${place}/examples/${name}/`, '](')
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
