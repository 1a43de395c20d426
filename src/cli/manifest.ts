import { slugOf } from '../settings/documents/settings-json-schema.ts'
import { manifestProblems, maxShortDescription } from './manifest-rules.ts'

/** Placeholder for what only a person knows. */
const placeholder = 'ChangeMe'

/** Contents of `connector_manifest.json` in OpenCTI's catalog, in its order. */
export type Manifest = Readonly<Record<string, unknown>>

/** Input of {@link makeManifest}. */
export interface ManifestSource {
  /** Name of the connector. */
  readonly name: string
  /** The nearest package.json; empty if there is none. */
  readonly packageJson: Readonly<Record<string, unknown>>
  /** The existing manifest. Its values take precedence over guesses. */
  readonly existing: Manifest
  /** Values from the command line, which override everything. */
  readonly given: Manifest
}

/** Result of {@link makeManifest}. */
export interface MadeManifest {
  readonly manifest: Manifest
  /** Fields still to be filled in. */
  readonly missing: readonly string[]
  /** What the catalog would reject, one sentence each. */
  readonly problems: readonly string[]
}

/**
 * Creates the manifest OpenCTI's catalog requires for a connector (connectors,
 * __metadata__/connector_manifest.json), as far as it can be derived.
 */
export function makeManifest({ name, packageJson, existing, given }: ManifestSource): MadeManifest {
  const description = textOf(packageJson['description'])
  const known: Manifest = {
    title: name,
    slug: slugOf(name),
    description: description ?? placeholder,
    short_description: description ?? placeholder,
    logo: null,
    use_cases: [placeholder],
    solution_categories: [placeholder],
    // The code's license does not tell whether the product behind it is free.
    license_type: '',
    contact: contactOf(packageJson) ?? placeholder,
    verified: false,
    last_verified_date: null,
    playbook_supported: false,
    max_confidence_level: 100,
    support_version: placeholder,
    subscription_link: null,
    source_code: repositoryOf(packageJson['repository']) ?? placeholder,
    manager_supported: false,
    container_version: textOf(packageJson['version']) ?? placeholder,
    container_image: placeholder,
    container_type: 'STREAM',
  }
  const written = Object.entries(existing).filter(([, value]) => !isOpen(value))
  const all: Manifest = { ...known, ...Object.fromEntries(written), ...given, container_type: 'STREAM' }
  const manifest = { ...all, short_description: shortened(all['short_description']) }
  const missing = Object.entries(manifest).flatMap(([field, value]) => (isOpen(value) ? [field] : []))
  return { manifest, missing, problems: manifestProblems(manifest, isOpen) }
}

/** Fields of a manifest. */
export const manifestFields: ReadonlySet<string> = new Set(
  Object.keys(makeManifest({ name: '', packageJson: {}, existing: {}, given: {} }).manifest),
)

/** Whether a person still has to fill in a value. */
export function isOpen(value: unknown): boolean {
  return value === placeholder || (Array.isArray(value) && value.includes(placeholder))
}

/** Cuts text between words to what the catalog shows. */
function shortened(text: unknown): unknown {
  if (typeof text !== 'string' || text.length <= maxShortDescription) return text
  const cut = text.slice(0, maxShortDescription - 1)
  return `${cut.replace(/\s\S*$/, '').trimEnd()}…`
}

function contactOf({ author, bugs }: Readonly<Record<string, unknown>>): string | undefined {
  const { email: authorEmail } = fieldsOf(author)
  const { email: bugsEmail, url } = fieldsOf(bugs)
  const written = typeof author === 'string' ? /<([^<>]+)>/.exec(author)?.[1] : undefined
  return textOf(authorEmail) ?? written ?? textOf(bugsEmail) ?? textOf(url) ?? textOf(bugs)
}

/** A repository's URL for a browser. */
function repositoryOf(repository: unknown): string | undefined {
  const text = textOf(typeof repository === 'string' ? repository : fieldsOf(repository)['url'])
  const short = text === undefined ? undefined : /^(?:github:)?([\w.-]+\/[\w.-]+)$/.exec(text)?.[1]
  if (short !== undefined) return `https://github.com/${short}`
  return text
    ?.replace(/^git\+/, '')
    .replace(/^(?:git|ssh):\/\/(?:git@)?/, 'https://')
    .replace(/\.git$/, '')
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}
