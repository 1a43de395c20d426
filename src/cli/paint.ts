import { styleText } from 'node:util'

/** How a text may look. */
export type Look = Parameters<typeof styleText>[0]

/** Makes a text look as told, where colors are shown. */
export type Paint = (look: Look, text: string) => string

/**
 * The paint for standard output: with colors on a terminal, unless `NO_COLOR` is set; on anything, when `FORCE_COLOR` is
 * set to something else than 0.
 */
export function paintFor(): Paint {
  if (!showsColors(process.env)) return (_, text) => text
  return (look, text) => (text === '' ? '' : styleText(look, text, { validateStream: false }))
}

function showsColors(env: NodeJS.ProcessEnv): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false
  const forced = env['FORCE_COLOR'] ?? ''
  if (forced !== '') return forced !== '0' && forced !== 'false'
  return process.stdout.isTTY === true && env['TERM'] !== 'dumb'
}
