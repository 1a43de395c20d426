import { stripVTControlCharacters, styleText } from 'node:util'

/** Where the demo writes: `process.stdout`, or something that collects. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

/** A color or a weight of the terminal. */
export type Style = Parameters<typeof styleText>[0]

const clearLine = '\r\u001B[2K'

/** Lines that stay, and under them one line that is rewritten in place. */
export class Screen {
  /** Whether the bottom line can be rewritten. */
  readonly isLive: boolean
  readonly #output: Output
  readonly #hasColors: boolean
  #bottom = ''

  constructor(output: Output, env: Readonly<Record<string, string | undefined>> = process.env) {
    this.#output = output
    this.isLive = output.isTTY === true && env['TERM'] !== 'dumb'
    this.#hasColors = this.isLive && (env['NO_COLOR'] ?? '') === ''
  }

  get columns(): number {
    return this.#output.columns ?? 80
  }

  style(style: Style, text: string): string {
    return this.#hasColors ? styleText(style, text, { validateStream: false }) : text
  }

  /** Writes a line that stays. */
  line(text = ''): void {
    this.#output.write(this.isLive ? `${clearLine}${text}\n${this.#bottom}` : `${text}\n`)
  }

  /** Rewrites the line at the bottom; without a terminal it is a line like any other. */
  bottom(text: string): void {
    if (this.isLive) {
      this.#bottom = text
      this.#output.write(`${clearLine}${text}`)
    } else this.#output.write(`${text}\n`)
  }

  /** Leaves the bottom line where it is and goes on under it. */
  release(): void {
    if (this.#bottom !== '') this.#output.write('\n')
    this.#bottom = ''
  }
}

/** How many columns a text takes. */
export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}
