import { z } from 'zod'
import { innerOf } from './inner-schema.ts'

/** What a schema cannot say of itself, for the tables, the messages and the reading of text. */
export interface SettingNotes {
  /** The field's name below its section, where it does not follow from its place. */
  readonly field?: string | undefined
  /** The environment names, the first one is shown; where they do not follow from section and field. */
  readonly environment?: readonly string[] | undefined
  /** Names that the field had in older clients, below its section: still read, after the present one. */
  readonly formerFields?: readonly string[] | undefined
  /** Names that the author of a connector has given up: still read, after the present one, and told of. */
  readonly formerNames?: readonly string[] | undefined
  /** What the value has to be, to follow "must be" or "set it to". */
  readonly expected?: string | undefined
  /** Holds a secret, though it was not made by `secret()`. */
  readonly isSecret?: boolean | undefined
  /** Is an object for the program, and text in a form of its own for operators. */
  readonly isText?: boolean | undefined
  /** Cannot be written as text; an operator does not see it. */
  readonly inCodeOnly?: boolean | undefined
  /** Its name in `static defaults`, for a field of the section `connector` that the code of a connector can set. */
  readonly inDefaults?: 'name' | 'scope' | 'start' | undefined
  /** What authors of connectors are told beside the description, in the interfaces that are written from the schemas. */
  readonly forAuthors?: string | undefined
  /** What those interfaces call the type that an author writes, where it is not one of JavaScript's own. */
  readonly written?: string | undefined
  /** The same for the type of the value in force. */
  readonly resolved?: string | undefined
  /** Turns text of an operator into what the schema reads; anything that it does not know comes back as it is. */
  readonly fromText?: ((text: string) => unknown) | undefined
}

/** The notes on our own schemas. Kept apart from zod's global registry, so that they stay out of JSON Schema. */
export const settingNotes = z.registry<SettingNotes>()

/** The notes on `schema` and on what it wraps, the outermost winning. */
export function notesOf(schema: z.core.$ZodType): SettingNotes {
  const inner = innerOf(schema)
  return { ...(inner === undefined ? {} : notesOf(inner)), ...settingNotes.get(schema) }
}
