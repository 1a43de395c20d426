import { z } from 'zod'
import { between, whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/** A resolved rate limit. */
export interface ResolvedRateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** Value of one half of a limit if only the other is set. */
const usual: ResolvedRateLimit = { perSecond: 10, burst: 100 }

/** Rate limit of hook calls, for the connector or a route. @internal */
export const rateLimitSchema = z
  .strictObject({
    perSecond: between(0, 1_000_000)
      .optional()
      .describe('Hook calls per second; 0 for no limit.')
      .register(settingNotes, { forAuthors: `Defaults to ${usual.perSecond} if only \`burst\` is set.` }),
    burst: whole(1, 1_000_000)
      .optional()
      .describe('Hook calls allowed at once after being idle.')
      .register(settingNotes, { forAuthors: `Defaults to ${usual.burst} if only \`perSecond\` is set.` }),
  })
  .transform(({ perSecond, burst }): ResolvedRateLimit | undefined => {
    if ((perSecond === undefined && burst === undefined) || perSecond === 0) return undefined
    return { perSecond: perSecond ?? usual.perSecond, burst: burst ?? usual.burst }
  })
  .describe('Rate limit of hook calls. Off unless one of its options is set.')
  .register(settingNotes, { written: 'RateLimitOptions', resolved: 'ResolvedRateLimit | undefined' })
