import { z } from 'zod'
import { between, whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/** A limit on calls that is in force. */
export interface ResolvedRateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** What one half of a limit brings as the other. */
const usual: ResolvedRateLimit = { perSecond: 10, burst: 100 }

/** A limit on calls of hooks, of the connector as a whole and of a route. @internal */
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
