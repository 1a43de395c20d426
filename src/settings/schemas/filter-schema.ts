import { z } from 'zod'
import { type Entity } from '../../stix/types/entity.ts'
import { tlpNames, tlpRankOfText } from '../../stix/read/tlp.ts'
import { between } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/** A fresh schema each time: notes and descriptions belong to one field. */
const names = (description: string, forAuthors?: string) =>
  z.array(z.string()).readonly().default([]).describe(description).register(settingNotes, { forAuthors })
const percentage = (description: string) =>
  between(0, 100).optional().describe(description).register(settingNotes, { forAuthors: 'Absent: any.' })
const inclusion = (description: string, forAuthors?: string) =>
  z
    .enum(['include', 'exclude', 'only'])
    .default('include')
    .describe(description)
    .register(settingNotes, { forAuthors })

/** A TLP marking in any way that it is written. @internal */
export const tlpSchema = () =>
  z.enum(tlpNames).register(settingNotes, { fromText: tlpOfText, written: 'Tlp', resolved: 'Tlp' })
const tlp = (description: string, forAuthors: string) =>
  tlpSchema().optional().describe(description).register(settingNotes, { forAuthors })

const predicateType = '((entity: Entity) => boolean)'

/** A question to the code of a connector, which no operator can write down. @internal */
export const predicate = (description: string) =>
  z
    .custom<(entity: Entity) => boolean>((value) => typeof value === 'function', 'must be a function')
    .optional()
    .describe(description)
    .register(settingNotes, { inCodeOnly: true, written: predicateType, resolved: predicateType })
/** The labels that an entity needs. @internal */
const labelFilterSchema = z
  .strictObject({
    any: names('Labels of which an entity needs one.'),
    all: names('Labels of which an entity needs each.'),
    none: names('Labels that keep an entity out.'),
  })
  .describe('Labels to have or not to have.')
  .register(settingNotes, { written: 'LabelFilterOptions' })

/** Which entities reach the hooks. @internal */
export const filterSchema = z
  .strictObject({
    types: names(
      'Types that reach the hooks: STIX types such as indicator, OpenCTI types such as IPv4-Addr, or groups such as Stix-Cyber-Observable.',
      'More groups: `Stix-Domain-Object`, `Stix-Core-Relationship`, `Container`, `Case` …; in short `observable`, ' +
        '`domain-object`, `relationship`, `container`, `meta-object`. Any case; empty for all.',
    ),
    patternTypes: names('Of indicators, the pattern types that pass.', 'Such as `stix`; empty for all.'),
    observableTypes: names(
      'Of indicators, the main observable types that pass, such as IPv4-Addr.',
      'Empty for all. Where an indicator does not tell its own, its values and its pattern do; `Unknown` is for those of ' +
        'which nothing tells it.',
    ),
    labels: labelFilterSchema.prefault({}),
    maxTlp: tlp(
      'The strictest marking that passes.',
      'Absent: any. An entity without a TLP marking is `TLP:CLEAR`; one with an unknown marking is kept back, see ' +
        '`unknownMarkings`.',
    ),
    minTlp: tlp('The most open marking that passes.', 'Absent: any.'),
    unknownMarkings: z
      .enum(['exclude', 'include'])
      .default('exclude')
      .describe(
        'What CONNECTOR_FILTER_MAX_TLP makes of an entity with a marking that is no TLP or cannot be read; include goes by its TLP alone.',
      )
      .register(settingNotes, {
        forAuthors:
          'The same holds for `tlp` of a route. `exclude` keeps the entity back, since its marking may be stricter than any. Beside a TLP ' +
          'marking, one of the Permissible Actions Protocol (`PAP:…`) is no such marking.',
      }),
    minScore: percentage('Least score that passes.'),
    minConfidence: percentage('Least confidence that passes.'),
    authors: names(
      'Ids of the authors that pass, STIX ids or those of the platform.',
      'The author of an entity is its `created_by_ref`. Empty for all.',
    ),
    revoked: inclusion(
      'What becomes of revoked entities.',
      'With `only`, an indicator that is revoked is delivered and not withdrawn, whatever `on.revoked` and `on.expired` say.',
    ),
    inferred: inclusion('What becomes of inferred entities.'),
    maxAgeMs: z
      .number()
      .min(1)
      .optional()
      .describe('Greatest age of an entity, in milliseconds.')
      .register(settingNotes, { forAuthors: 'Absent: any.' }),
    where: predicate('Anything else, in code only: `true` lets the entity pass.'),
  })
  .refine(
    ({ minTlp = 'TLP:CLEAR', maxTlp = 'TLP:RED' }) => tlpNames.indexOf(minTlp) <= tlpNames.indexOf(maxTlp),
    {
      path: ['minTlp'],
      error: 'must not be stricter than CONNECTOR_FILTER_MAX_TLP',
    },
  )
  .describe(
    'Which entities reach the hooks; the others are skipped and counted with the reason. Everything that is named must ' +
      'hold. A filter never hides the delete of something that was pushed.',
  )
  .register(settingNotes, { written: 'FilterOptions', resolved: 'ResolvedFilterOptions' })

/** The marking that a text means: any case, with or without `TLP:`, the old name WHITE too. */
function tlpOfText(text: string): unknown {
  const rank = tlpRankOfText(text, true)
  return rank === undefined ? text : tlpNames[rank]
}
