import { once } from 'node:events'
import { type Writable } from 'node:stream'
import { cutTo, widthOf } from './text-width.ts'

/** Writes text; waits while the reader cannot keep up. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** Resolves once everything has been written or can no longer be. */
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
 * Makes a line of JSON safe for a terminal without changing its meaning. JSON escapes ASCII control
 * characters, but not others that terminals obey or that change the writing direction. Leaves output to a
 * file or pipe as is.
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

/** Writes a message for the user to standard error. Foreign text in it cannot send control sequences. */
export function note(text: string): void {
  process.stderr.write(`${printable(text)}\n`)
}

/**
 * Makes foreign text safe for a terminal: control characters, which could move the cursor, change colors, or
 * rename the window, become spaces. Line breaks are kept on request.
 */
export function printable(text: string, keepLines = false): string {
  // Includes characters that change the writing direction, which can make a line read differently than it is.
  const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
  return text.replaceAll(unsafe, (character) =>
    keepLines && (character === '\n' || character === '\t') ? character : ' ',
  )
}

/** Foreign text in exactly `width` columns, with an ellipsis if it was cut. */
export function cell(text: string, width: number): string {
  const shown = cutTo(printable(text), width)
  return shown + ' '.repeat(width - widthOf(shown))
}

/** A UTC time for people: `2026-09-01 08:00:00`. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

/** `1 dead letter`, `2 dead letters`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`
}
