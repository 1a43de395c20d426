import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeManifest } from '../manifest.ts'
import { packageRoot } from './package-root.ts'
import { type PackagedExample } from './packaged-example.ts'

/** What OpenCTI's catalog shows of an example. */
export interface ExampleSettings {
  /** Name of the connector. */
  readonly title: string
  /** The schema of its settings. */
  readonly schema: object
}

/** Where the settings of all examples are, in the folder of this package; the build writes it (`scripts/write-example-settings.ts`). */
export const exampleSettingsFile = 'dist/example-settings.json'

/**
 * The files for OpenCTI's catalog. A checkout without a built package has none.
 *
 * @param packageJson of the repository.
 */
export async function metadataFiles(
  example: PackagedExample,
  packageJson: object,
): Promise<ReadonlyMap<string, object>> {
  const file = join(packageRoot(), exampleSettingsFile)
  if (!existsSync(file)) return new Map()
  const all = JSON.parse(await readFile(file, 'utf8')) as Readonly<Record<string, ExampleSettings>>
  const settings = all[example.name]
  if (settings === undefined) return new Map()
  const { name } = packageJson as { name: string }
  const { manifest } = makeManifest({
    name: settings.title,
    packageJson: packageJson as Record<string, unknown>,
    existing: {},
    given: { container_image: name, ...example.package.opencti.manifest },
  })
  return new Map([
    ['__metadata__/connector_manifest.json', manifest],
    ['__metadata__/connector_config_schema.json', settings.schema],
  ])
}
