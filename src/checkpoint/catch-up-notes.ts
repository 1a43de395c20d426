import { z } from 'zod'
import { parsedJson } from '../util/json-text.ts'

const count = z.number().positive()

const notes = z.object({
  /** How large the pieces are, once that is known. */
  pace: z.object({ spanMs: count, objects: count, wasCut: z.boolean() }).optional(),
  /** Where live reading begins behind it. */
  live: z.object({ ms: z.number().nonnegative(), seq: z.number().nonnegative() }).optional(),
})

/** What is kept of a catch-up beside its position, also for the process after this one. */
export type CatchUpNotes = Readonly<z.infer<typeof notes>>

/** Keeps the notes. */
export interface CatchUpKeeper {
  catchUpNotes: CatchUpNotes
}

/** Reads them from the state; what cannot be read is forgotten, and costs no more than a few objects that come twice. */
export function readCatchUpNotes(text: string): CatchUpNotes {
  return notes.safeParse(parsedJson(text)).data ?? {}
}
