import { styleText } from 'node:util'

/** Colors and styles of a text. */
export type Look = Parameters<typeof styleText>[0]

/** Styles text, if colors are enabled. */
export type Paint = (look: Look, text: string) => string

/**
 * Paint for standard output: colored on a terminal unless `NO_COLOR` is set, or anywhere if `FORCE_COLOR` is
 * set to anything but 0.
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
