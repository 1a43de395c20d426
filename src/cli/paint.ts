import { styleText } from 'node:util'

/** How a text may look. */
export type Look = Parameters<typeof styleText>[0]

/** Makes a text look as told, where colours are shown. */
export type Paint = (look: Look, text: string) => string

/**
 * Whether what is written to `stream` may have colours: a terminal, unless `NO_COLOR` is set; or anything, when
 * `FORCE_COLOR` is set to something else than 0.
 */
export function showsColours(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false
  const forced = env['FORCE_COLOR'] ?? ''
  if (forced !== '') return forced !== '0' && forced !== 'false'
  return stream.isTTY === true && env['TERM'] !== 'dumb'
}

/** The paint for standard output. */
export function paintFor(stream: { readonly isTTY?: boolean | undefined } = process.stdout): Paint {
  if (!showsColours(stream)) return (_, text) => text
  return (look, text) => (text === '' ? '' : styleText(look, text, { validateStream: false }))
}
