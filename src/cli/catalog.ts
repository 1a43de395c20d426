import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { isOpen, type Manifest } from './manifest.ts'

/** A file for the platform's `app:custom_catalogs` (opencti-graphql, catalog-types.ts). */
export interface Catalog {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly contracts: readonly Manifest[]
}

/** Input of {@link makeCatalog}. */
export interface CatalogSource {
  readonly manifest: Manifest
  readonly configSchema: object
  /** Data URL; empty if there is none. */
  readonly logo: string
  /** The current file, whose other connectors are kept. */
  readonly existing: Readonly<Record<string, unknown>>
}

/** Adds or replaces one connector in a catalog. */
export function makeCatalog({ manifest, configSchema, logo, existing }: CatalogSource): Catalog {
  const { slug, title } = manifest
  const contract: Manifest = {
    ...Object.fromEntries(Object.entries(manifest).map(([field, value]) => [field, filled(value)])),
    logo,
    // Without it, the platform lists the connector but cannot deploy it.
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

/** The platform shows the text as is, so leave out placeholders. */
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

/** The platform includes all logos in every answer. */
const maxLogoBytes = 1024 * 1024

/**
 * A connector's logo as a data URL: `logo.png` (or .jpg, .gif, .svg) next to its manifest, or else the one
 * named in the manifest; empty if there is none.
 *
 * @throws Error if it is too large.
 */
export async function logoOf({ logo }: Manifest, folder: string): Promise<string> {
  const beside = existsSync(folder) ? await readdir(folder) : []
  const found = beside.find((name) => name.startsWith('logo.') && mimeTypes[extname(name).toLowerCase()])
  const file = found === undefined ? logo : join(folder, found)
  if (typeof file !== 'string' || !existsSync(file)) return ''
  const type = mimeTypes[extname(file).toLowerCase()]
  if (type === undefined)
    throw new Error(`${file} is not an image browsers can show. Use PNG, JPEG, GIF, or SVG.`)
  if ((await stat(file)).size > maxLogoBytes)
    throw new Error(`${file} is larger than 1 MiB. Use a smaller logo, for example 256 × 256 pixels.`)
  return `data:${type};base64,${(await readFile(file)).toString('base64')}`
}
