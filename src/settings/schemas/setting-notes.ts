import { z } from 'zod'
import { innerOf } from './inner-schema.ts'

/** What a schema cannot say about itself, for tables, messages, and text conversion. */
export interface SettingNotes {
  /** Field name within its section, if it does not follow from its position. */
  readonly field?: string | undefined
  /** Environment variables, if they do not follow from section and field. The first one is shown. */
  readonly environment?: readonly string[] | undefined
  /** Field names in older clients, read after the current one. */
  readonly formerFields?: readonly string[] | undefined
  /** Names the connector's author has retired. Read after the current one, and reported. */
  readonly formerNames?: readonly string[] | undefined
  /** What the value must be, to follow "must be" or "set it to". */
  readonly expected?: string | undefined
  /** Contains a secret, though not made by `secret()`. */
  readonly isSecret?: boolean | undefined
  /** An object in code, but specially formatted text for operators. */
  readonly isText?: boolean | undefined
  /** Not expressible as text; hidden from operators. */
  readonly inCodeOnly?: boolean | undefined
  /** Name in `static defaults`, for a field of the `connector` section that code can set. */
  readonly inDefaults?: 'name' | 'scope' | 'start' | undefined
  /** Extra text for authors, in the generated interfaces. */
  readonly forAuthors?: string | undefined
  /** Type of the written value in the generated interfaces, if not a plain JavaScript type. */
  readonly written?: string | undefined
  /** The same for the resolved value. */
  readonly resolved?: string | undefined
  /** Converts operator text to what the schema reads. Returns anything unknown unchanged. */
  readonly fromText?: ((text: string) => unknown) | undefined
}

/** Notes on our own schemas. Separate from zod's global registry to keep them out of JSON Schema. */
export const settingNotes = z.registry<SettingNotes>()

/** Notes on `schema` and everything it wraps; the outermost wins. */
export function notesOf(schema: z.core.$ZodType): SettingNotes {
  const inner = innerOf(schema)
  return { ...(inner === undefined ? {} : notesOf(inner)), ...settingNotes.get(schema) }
}
