// Default import: a Node version without the named export would fail here before `check-node.cjs` can say
// that it is too old.
import util from 'node:util'

const styles = { DEBUG: 'gray', INFO: 'green', WARNING: 'yellow', ERROR: 'red' } as const

/** Formats a JSON log line for people. */
export function readableLine(line: string, colors: boolean): string {
  const { timestamp, level, message, attributes } = JSON.parse(line) as {
    timestamp: string
    level: keyof typeof styles
    message: string
    attributes?: Record<string, unknown>
  }
  const style = (name: Parameters<typeof util.styleText>[0], text: string) =>
    colors ? util.styleText(name, text, { validateStream: false }) : text
  const facts = Object.entries(attributes ?? {}).map(
    ([name, value]) => `${style('dim', `${printed(name)}=`)}${printed(JSON.stringify(value))}`,
  )
  const time = style('dim', timestamp.slice(11, 19))
  const shown = `${time} ${style(styles[level], level.padEnd(7))} ${printed(message)}`
  return `${facts.length > 0 ? `${shown}  ${facts.join(' ')}` : shown}\n`
}

/** Others choose entity names: they must not move the cursor, forge a line, or reverse the text. */
function printed(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
