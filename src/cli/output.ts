import { once } from 'node:events'
import { type Writable } from 'node:stream'
import { cutTo, widthOf } from './text-width.ts'

/** Writes text and waits while whoever reads it cannot keep up. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** Waits until all that was written has gone out, or cannot any more. */
export function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve())
  })
}

/** Writes one line of JSON. */
export function writeJson(value: unknown): Promise<void> {
  return writeLine(terminalJson(JSON.stringify(value)))
}

/**
 * A line of JSON, safe for a terminal and still the same JSON: it escapes by itself what ASCII has of control characters,
 * but not those beyond, which terminals obey as well, and not those that turn the direction of writing. What goes into a
 * file or a pipe stays to the letter.
 */
export function terminalJson(json: string, isTerminal: boolean = process.stdout.isTTY === true): string {
  if (!isTerminal) return json
  return json.replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Writes a line. */
export function writeLine(line: string): Promise<void> {
  return write(`${line}\n`)
}

/** Tells the person at the terminal something, beside what is printed. What comes from elsewhere in it cannot steer the terminal. */
export function note(text: string): void {
  process.stderr.write(`${printable(text)}\n`)
}

/**
 * Text that came from elsewhere, safe for a terminal: control characters, which could move the cursor, change colors or
 * rename the window, become spaces; line breaks stay when asked for.
 */
export function printable(text: string, keepLines = false): string {
  // Also the characters that turn the direction of writing, which can make a line read differently than it is.
  const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
  return text.replaceAll(unsafe, (character) =>
    keepLines && (character === '\n' || character === '\t') ? character : ' ',
  )
}

/** Text that came from elsewhere in exactly `width` columns, with an ellipsis where something was cut off. */
export function cell(text: string, width: number): string {
  const shown = cutTo(printable(text), width)
  return shown + ' '.repeat(width - widthOf(shown))
}

/** A time as people read it: `2026-09-01 08:00:00`, UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

/** `1 dead letter`, `2 dead letters`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`
}
