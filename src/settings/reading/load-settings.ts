import { SettingsError, type SettingProblem } from '../../errors/settings-error.ts'
import { changedRoutes } from './changed-routes.ts'
import { collectSecrets } from '../sources/collect-secrets.ts'
import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { connectorSchema } from '../schemas/connector-schema.ts'
import { deadFilters } from './dead-filters.ts'
import { deepFreeze } from '../schemas/deep-freeze.ts'
import { type SettingsDefinition, type SettingsSections } from '../schemas/define-settings.ts'
import { type DeliveryOptions } from '../schemas/delivery-options.ts'
import { nearMisses } from './near-miss.ts'
import { openctiFields, openctiSchema } from '../schemas/opencti-schema.ts'
import { type Defaults, resolveDefaults } from './resolve-defaults.ts'
import { readDelivery } from './read-delivery.ts'
import { readSection, type SectionRequest, type SectionResult } from './read-section.ts'
import { defaultsBesideDelivery, fieldsOf, sectionFields } from '../schemas/setting-field.ts'
import { missingProblem } from './setting-problems.ts'
import {
  holdsPlaceholder,
  readSources,
  type SettingSources,
  type WrittenSettings,
  writtenOf,
} from '../sources/setting-sources.ts'
import { type SectionSettings } from '../schemas/settings-of.ts'

/** Valid settings. Frozen. */
export interface LoadedSettings<Sections extends SettingsSections = SettingsSections> {
  /** The `opencti` and `connector` sections, and the author's own. */
  readonly settings: SectionSettings<Sections>
  /** Resolved delivery options. */
  readonly delivery: DeliveryOptions
  /** Text of every secret, for redaction. */
  readonly secrets: readonly string[]
  /** Where the settings came from, for logs. */
  readonly source: string
  /** One sentence for each unknown name that resembles a setting or its old name. Contains no values. */
  readonly nearMisses: readonly string[]
  /** One sentence for each filter condition nothing can match or unknown name. Contains no values. */
  readonly deadFilters: readonly string[]
}

/**
 * Loads a connector's settings. The environment overrides `config.yml`, which overrides the defaults from the
 * code and the schema. `.env` is only read if there is no `config.yml`. Empty text and `ChangeMe` count as
 * unset.
 *
 * @throws SettingsError listing every problem, without received values.
 *
 * @example
 * ```ts
 * import { defineSettings, loadSettings, z } from 'opencti-stream-connector'
 *
 * const definition = defineSettings({ my_siem: z.object({ port: z.int().default(443) }) })
 * const { settings, delivery } = loadSettings(definition, { defaults: { name: 'My SIEM', concurrency: 4 } })
 * console.log(settings.my_siem.port, delivery.concurrency)
 * ```
 */
export function loadSettings<Sections extends SettingsSections>(
  definition: SettingsDefinition<Sections>,
  { defaults: given = {}, ...where }: LoadSettingsOptions = {},
): LoadedSettings<Sections> {
  const sources = readSources(where)
  const requests: readonly SectionRequest[] = [
    { name: 'opencti', object: openctiFields, schema: openctiSchema, isOurs: true },
    ...Object.entries(definition.sections).map(([name, object]) => ({ name, object })),
  ]
  const before = requests.map((request) => ({ name: request.name, result: readSection(sources, request) }))
  const { defaults, problems: ofDefaults } = defaultsAfter(before, given, sources)
  const results = before.toSpliced(1, 0, { name: 'connector', result: readConnector(sources, defaults) })
  const connector = results.find(({ name }) => name === 'connector')!.result.value
  const changes = (connector as SectionSettings<Sections>['connector'] | undefined)?.routes
  const routed = changedRoutes(defaults, changes)
  const delivery = readDelivery(sources, routed.defaults)
  const problems = [
    ...results.flatMap(({ result }) => result.problems),
    ...ofDefaults,
    ...routed.problems,
    ...delivery.problems,
  ]
  const fields = fieldsOf(definition)
  if (problems.length > 0 || delivery.value === undefined) {
    problems.push(...missingStream(sources))
    const isSomethingMissing = problems.some(({ isMissing }) => isMissing)
    throw new SettingsError(problems, isSomethingMissing ? nearMisses(sources, fields) : [])
  }
  const hasInferences =
    (connector as SectionSettings<Sections>['connector'] | undefined)?.live_stream_with_inferences === true
  const settings = Object.fromEntries(results.map(({ name, result }) => [name, result.value]))
  return Object.freeze({
    // Each section was parsed by its own schema, as the type says.
    settings: deepFreeze(settings) as SectionSettings<Sections>,
    delivery: deepFreeze(delivery.value),
    secrets: collectSecrets(settings, sources, fields),
    source: sources.description,
    nearMisses: nearMisses(sources, fields),
    deadFilters: deadFilters({ delivery: delivery.value, defaults, hasInferences }),
  })
}

/** Options for {@link loadSettings}. */
export interface LoadSettingsOptions extends SettingSources {
  /** Defaults from the connector's code, overridden by anything an operator sets. */
  readonly defaults?: Defaults | undefined
}

/**
 * Reports a missing stream along with other problems. On its own it is no reason to fail: `processMessage`
 * needs no stream, and `checkStream()` reports it at startup.
 */
function missingStream(sources: WrittenSettings): readonly SettingProblem[] {
  return sectionFields('connector', connectorSchema)
    .filter(({ field }) => field === 'live_stream_id')
    .filter((field) => writtenOf(sources, field) === undefined)
    .map((field) => missingProblem(field, holdsPlaceholder(sources, field)))
}

function readConnector(sources: WrittenSettings, defaults: ConnectorDefaults): SectionResult {
  const fallback = Object.fromEntries(
    defaultsBesideDelivery.map(({ field, inDefaults }) => [field, defaults[inDefaults]]),
  )
  return readSection(sources, { name: 'connector', object: connectorSchema, isOurs: true, fallback })
}

/** Defaults from the code, which may depend on the settings if those are valid. */
function defaultsAfter(
  before: readonly { readonly name: string; readonly result: SectionResult }[],
  given: Defaults,
  sources: WrittenSettings,
): ReturnType<typeof resolveDefaults> {
  if (typeof given !== 'function') return resolveDefaults(given, undefined)
  // The name is unknown until the function has run.
  const connector = { name: 'connector', result: readConnector(sources, { name: 'connector' }) }
  const all = [...before, connector]
  const isGood = all.every(({ result }) => result.problems.length === 0)
  const settings = isGood
    ? deepFreeze(Object.fromEntries(all.map(({ name, result }) => [name, result.value])))
    : undefined
  const resolved = resolveDefaults(given, settings)
  return { ...resolved, defaults: { name: 'connector', ...resolved.defaults } }
}
