import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { isOpen, type Manifest } from './manifest.ts'

/** A file for `app:custom_catalogs` of the platform (opencti-graphql, catalog-types.ts). */
export interface Catalogue {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly contracts: readonly Manifest[]
}

/** What {@link makeCatalogue} puts together. */
export interface CatalogueSource {
  readonly manifest: Manifest
  readonly configSchema: object
  /** As a data URL; empty for none. */
  readonly logo: string
  /** The file as it is: its other connectors stay. */
  readonly existing: Readonly<Record<string, unknown>>
}

/** A catalogue with the contract of one connector, beside those that it has. */
export function makeCatalogue({ manifest, configSchema, logo, existing }: CatalogueSource): Catalogue {
  const { slug, title } = manifest
  const contract: Manifest = {
    ...Object.fromEntries(Object.entries(manifest).map(([field, value]) => [field, filled(value)])),
    logo,
    // Without it the platform lists the connector, and cannot deploy it.
    manager_supported: true,
    config_schema: configSchema,
  }
  const { contracts } = existing as { contracts?: unknown }
  const others = Array.isArray(contracts)
    ? (contracts as Manifest[]).filter((other) => other['slug'] !== slug)
    : []
  return {
    id: `${String(slug)}-catalog`,
    name: String(title),
    description: '',
    ...existing,
    contracts: [...others, contract],
  }
}

/** The platform shows what stands there, so nothing does where nobody has filled it in. */
function filled(value: unknown): unknown {
  if (!isOpen(value)) return value
  return Array.isArray(value) ? [] : ''
}

const mimeTypes: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.svg': 'image/svg+xml',
}

/** The platform keeps every logo in each answer. */
const maxLogoBytes = 1024 * 1024

/**
 * The logo of a connector as a data URL: the file `logo.png` (or .jpg, .gif, .svg) beside its manifest, else the one that the
 * manifest names; empty when there is none.
 *
 * @throws Error when it is too large.
 */
export async function logoOf({ logo }: Manifest, folder: string): Promise<string> {
  const beside = existsSync(folder) ? await readdir(folder) : []
  const found = beside.find((name) => name.startsWith('logo.') && mimeTypes[extname(name).toLowerCase()])
  const file = found === undefined ? logo : join(folder, found)
  if (typeof file !== 'string' || !existsSync(file)) return ''
  const type = mimeTypes[extname(file).toLowerCase()]
  if (type === undefined)
    throw new Error(`${file} is no logo that a browser shows. Use PNG, JPEG, GIF or SVG.`)
  if ((await stat(file)).size > maxLogoBytes)
    throw new Error(`${file} is larger than 1 MiB. Use a smaller logo, such as one of 256 × 256 pixels.`)
  return `data:${type};base64,${(await readFile(file)).toString('base64')}`
}
