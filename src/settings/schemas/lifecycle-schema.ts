import { z } from 'zod'
import { settingNotes } from './setting-notes.ts'

const withdrawal = z.enum(['delete', 'update', 'skip'])
const tolerance = () => z.enum(['ok', 'dead-letter']).default('ok')

/** What is done in the special moments of an entity's life: the options `on`. @internal */
export const lifecycleSchema = z
  .strictObject({
    revoked: withdrawal
      .default('delete')
      .describe('What becomes of an indicator that was revoked; skip leaves it at the target as it is.'),
    expired: withdrawal
      .default('update')
      .describe(
        'What becomes of an indicator whose valid_until has passed when an event tells of it; skip leaves it at the target as it is.',
      ),
    expiryTimer: z
      .boolean()
      .default(false)
      .describe(
        'Withdraw an indicator when its valid_until comes, without an event; needs CONNECTOR_ON_EXPIRED=delete.',
      )
      .register(settingNotes, { forAuthors: 'It needs the id map too.' }),
    deleteMissing: tolerance().describe('What a 404 to a delete means.'),
    createExisting: tolerance().describe('What a 409 to a create means.'),
  })
  .refine(({ expired, expiryTimer }) => !expiryTimer || expired === 'delete', {
    path: ['expiryTimer'],
    error: 'needs CONNECTOR_ON_EXPIRED to be delete: without an event there is no entity to update',
  })
  .describe('What is done in the special moments of an entity’s life.')
  .register(settingNotes, { written: 'LifecycleOptions', resolved: 'ResolvedLifecycleOptions' })
