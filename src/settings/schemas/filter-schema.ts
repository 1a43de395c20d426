import { z } from 'zod'
import { type Entity } from '../../stix/types/entity.ts'
import { tlpNames, tlpRankOfText } from '../../stix/read/tlp.ts'
import { between } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/** Creates a new schema each time, because notes and descriptions belong to one field. */
const names = (description: string, forAuthors?: string) =>
  z.array(z.string()).readonly().default([]).describe(description).register(settingNotes, { forAuthors })
const percentage = (description: string) =>
  between(0, 100).optional().describe(description).register(settingNotes, { forAuthors: 'Unset: any.' })
const inclusion = (description: string, forAuthors?: string) =>
  z
    .enum(['include', 'exclude', 'only'])
    .default('include')
    .describe(description)
    .register(settingNotes, { forAuthors })

/** A TLP marking in any spelling. @internal */
export const tlpSchema = () =>
  z.enum(tlpNames).register(settingNotes, { fromText: tlpOfText, written: 'Tlp', resolved: 'Tlp' })
const tlp = (description: string, forAuthors: string) =>
  tlpSchema().optional().describe(description).register(settingNotes, { forAuthors })

const predicateType = '((entity: Entity) => boolean)'

/** A condition only code can express, not an operator. @internal */
export const predicate = (description: string) =>
  z
    .custom<(entity: Entity) => boolean>((value) => typeof value === 'function', 'must be a function')
    .optional()
    .describe(description)
    .register(settingNotes, { inCodeOnly: true, written: predicateType, resolved: predicateType })
/** Label conditions. @internal */
const labelFilterSchema = z
  .strictObject({
    any: names('Require at least one of these labels.'),
    all: names('Require all of these labels.'),
    none: names('Exclude entities with any of these labels.'),
  })
  .describe('Required and excluded labels.')
  .register(settingNotes, { written: 'LabelFilterOptions' })

/** Which entities reach the hooks. @internal */
export const filterSchema = z
  .strictObject({
    types: names(
      'Entity types to deliver: STIX types such as indicator, OpenCTI types such as IPv4-Addr, or groups such as Stix-Cyber-Observable.',
      'More groups: `Stix-Domain-Object`, `Stix-Core-Relationship`, `Container`, `Case` …; short forms: `observable`, ' +
        '`domain-object`, `relationship`, `container`, `meta-object`. Case-insensitive; empty for all.',
    ),
    patternTypes: names('Pattern types of indicators to deliver.', 'For example `stix`; empty for all.'),
    observableTypes: names(
      'Main observable types of indicators to deliver, such as IPv4-Addr.',
      'Empty for all. If an indicator does not declare the type, its values and its pattern decide; `Unknown` matches ' +
        'indicators whose type cannot be determined.',
    ),
    labels: labelFilterSchema.prefault({}),
    maxTlp: tlp(
      'Deliver entities up to this TLP marking.',
      'Unset: any. An entity without a TLP marking counts as `TLP:CLEAR`; one with an unknown marking is excluded, see ' +
        '`unknownMarkings`.',
    ),
    minTlp: tlp('Deliver entities from this TLP marking up.', 'Unset: any.'),
    unknownMarkings: z
      .enum(['exclude', 'include'])
      .default('exclude')
      .describe(
        'Whether CONNECTOR_FILTER_MAX_TLP excludes entities with a non-TLP or unreadable marking; include looks at the TLP marking only.',
      )
      .register(settingNotes, {
        forAuthors:
          'Also applies to a route’s `tlp`. `exclude` is the safe choice: the unknown marking may be stricter than any. Next to a TLP ' +
          'marking, a Permissible Actions Protocol marking (`PAP:…`) does not count as unknown.',
      }),
    minScore: percentage('Minimum score.'),
    minConfidence: percentage('Minimum confidence.'),
    authors: names(
      'Ids of the authors whose entities to deliver; STIX or OpenCTI ids.',
      'The author of an entity is its `created_by_ref`. Empty for all.',
    ),
    revoked: inclusion(
      'Whether to deliver revoked entities.',
      'With `only`, a revoked indicator is delivered instead of removed, whatever `on.revoked` and `on.expired` say.',
    ),
    inferred: inclusion('Whether to deliver inferred entities.'),
    maxAgeMs: z
      .number()
      .min(1)
      .optional()
      .describe('Maximum age of an entity, in milliseconds.')
      .register(settingNotes, { forAuthors: 'Unset: any.' }),
    where: predicate('Custom condition, in code only; return `true` to deliver the entity.'),
  })
  .refine(
    ({ minTlp = 'TLP:CLEAR', maxTlp = 'TLP:RED' }) => tlpNames.indexOf(minTlp) <= tlpNames.indexOf(maxTlp),
    {
      path: ['minTlp'],
      error: 'must not be stricter than CONNECTOR_FILTER_MAX_TLP',
    },
  )
  .describe(
    'Which entities reach the hooks. Others are skipped and counted by reason. All conditions must hold. A filter never ' +
      'hides the delete of an entity that was pushed.',
  )
  .register(settingNotes, { written: 'FilterOptions', resolved: 'ResolvedFilterOptions' })

/** Parses a marking: ignores case, `TLP:` is optional, and the old name WHITE works. */
function tlpOfText(text: string): unknown {
  const rank = tlpRankOfText(text, true)
  return rank === undefined ? text : tlpNames[rank]
}
