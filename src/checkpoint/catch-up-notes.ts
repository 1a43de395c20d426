import { z } from 'zod'
import { parsedJson } from '../util/json-text.ts'

const count = z.number().positive()

const notes = z.object({
  /** The size of the pieces, once known. */
  pace: z.object({ spanMs: count, objects: count, wasCut: z.boolean() }).optional(),
  /** Where live reading begins after the catch-up. */
  live: z.object({ ms: z.number().nonnegative(), seq: z.number().nonnegative() }).optional(),
})

/** What is stored about a catch-up apart from its position, also for the next process. */
export type CatchUpNotes = Readonly<z.infer<typeof notes>>

/** Keeps the notes. */
export interface CatchUpKeeper {
  catchUpNotes: CatchUpNotes
}

/** Reads the notes from the state. Unreadable notes are ignored; the cost is a few objects received twice. */
export function readCatchUpNotes(text: string): CatchUpNotes {
  return notes.safeParse(parsedJson(text)).data ?? {}
}
