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

/** What {@link loadSettings} reads from. */
export interface LoadSettingsOptions extends SettingSources {
  /** What the connector's code sets, below everything that an operator wrote. */
  readonly defaults?: Defaults | undefined
}

/** Settings that were read and found good. Frozen. */
export interface LoadedSettings<Sections extends SettingsSections = SettingsSections> {
  /** The sections `opencti` and `connector`, and the author's own. */
  readonly settings: SectionSettings<Sections>
  /** The options of delivery, complete. */
  readonly delivery: DeliveryOptions
  /** The text of every secret, for redaction. */
  readonly secrets: readonly string[]
  /** Where the settings came from, for logs. */
  readonly source: string
  /** What is set, is no setting, and looks like a misspelled or an older name of one: a sentence for each, without values. */
  readonly nearMisses: readonly string[]
  /** What no entity can pass by, or that names nothing that is known: a sentence for each, without values. */
  readonly deadFilters: readonly string[]
}

/**
 * Reads the settings of a connector: the environment wins over `config.yml`, which wins over the defaults of the code
 * and of the schema; a `.env` is read where there is no `config.yml`. An empty text and `ChangeMe` set nothing.
 *
 * @throws SettingsError with every problem at once, none of them with a value that was received.
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
    // Each section came out of its own schema, which is what the type says.
    settings: deepFreeze(settings) as SectionSettings<Sections>,
    delivery: deepFreeze(delivery.value),
    secrets: collectSecrets(settings, sources, fields),
    source: sources.description,
    nearMisses: nearMisses(sources, fields),
    deadFilters: deadFilters({ delivery: delivery.value, defaults, hasInferences }),
  })
}

/**
 * That no stream is set, told beside what is wrong otherwise. Alone it is no reason to refuse the settings: who hands events to
 * `processMessage` has no stream, and `checkStream()` says the same at the start.
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

/** What the code sets: it may depend on the settings, where those are good. */
function defaultsAfter(
  before: readonly { readonly name: string; readonly result: SectionResult }[],
  given: Defaults,
  sources: WrittenSettings,
): ReturnType<typeof resolveDefaults> {
  if (typeof given !== 'function') return resolveDefaults(given, undefined)
  // Its name is not known before the function was asked.
  const connector = { name: 'connector', result: readConnector(sources, { name: 'connector' }) }
  const all = [...before, connector]
  const isGood = all.every(({ result }) => result.problems.length === 0)
  const settings = isGood
    ? deepFreeze(Object.fromEntries(all.map(({ name, result }) => [name, result.value])))
    : undefined
  const resolved = resolveDefaults(given, settings)
  return { ...resolved, defaults: { name: 'connector', ...resolved.defaults } }
}
