import pino from 'pino'
import { describeError } from '../../errors/verdict.ts'
import { systemClock, type Clock } from '../../util/clock.ts'
import { type LogAttributes, type Logger } from '../../util/logger.ts'
import { redacted, type Redactor } from '../../util/redactor.ts'
import { secretName } from '../../util/secret-name.ts'
import { shortened } from '../../util/shortened.ts'
import { FloodGuard } from './flood-guard.ts'
import { readableLine } from './readable-line.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

/** A logger that can hold back repeated lines. */
export interface FlushableLogger extends Logger {
  /** Writes a summary of the lines held back. */
  flush(): void
}

interface Line {
  readonly level: Level
  readonly message: string
  readonly attributes: LogAttributes
}

/** Longest text of a message or attribute, in characters; the rest is cut. */
const maxTextCharacters = 4000

/** Depth of nested attributes, and how much of each to write. */
const maxDepth = 4
const maxEntries = 50

/**
 * Creates a logger for the JSON lines of OpenCTI connectors: `timestamp`, `level`, `name`, `message`,
 * `attributes`. Redacts known secrets everywhere in a line, and anything that looks like a secret by name or
 * form. Summarizes repeated warnings and errors.
 */
export function createLogger(options: CreateLoggerOptions): FlushableLogger {
  const { redactor, json, clock = systemClock } = options
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  const colors = options.colors ?? (process.stderr.isTTY && process.env['NO_COLOR'] === undefined)
  const cleanText = (text: string) => redactor.clean(text).replaceAll(credentials, `$1 ${redacted}`)
  const destination = {
    write(line: string) {
      if (!json) return write(cleanText(readableLine(line, colors)))
      const clean = cleanText(line)
      write(clean === line || isJson(clean) ? clean : cleanNumbers(line, cleanText))
    },
  }
  // Before cutting and JSON encoding, because both change what a secret looks like.
  const cut = (text: string) => shortened(cleanText(text), maxTextCharacters)
  const attributesOf = (attributes: LogAttributes) => {
    try {
      return printable(attributes, 0, cut)
    } catch {
      return 'attributes that cannot be read'
    }
  }
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"timestamp":"${new Date(clock.now()).toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label === 'warn' ? 'WARNING' : label.toUpperCase(), name: options.name }),
      },
    },
    destination,
  )
  const print = ({ level, message, attributes }: Line) => {
    if (Object.keys(attributes).length === 0) logger[level](cut(message))
    else logger[level]({ attributes: attributesOf(attributes) }, cut(message))
  }
  const guard = new FloodGuard<Line>({
    clock,
    sumUp({ level, message, attributes }, count, inMs, isMixed) {
      const what = isMixed ? `${count} warnings and errors of other kinds, the last` : `${count} more`
      print({
        level,
        message: `${message} … and ${what} in the last ${Math.ceil(inMs / 1000)} s`,
        attributes,
      })
    },
  })
  const log = (level: Level, message: string, attributes: LogAttributes) => {
    const line = { level, message, attributes }
    if (level === 'debug' || level === 'info' || guard.admits(message, line)) print(line)
  }
  return { ...wrap((level) => logger.isLevelEnabled(level), log, {}), flush: () => guard.flush() }
}

/** Options for {@link createLogger}. */
export interface CreateLoggerOptions {
  /** Connector name, included in every line. */
  readonly name: string
  readonly level: Level
  /** JSON lines; otherwise lines for people. */
  readonly json: boolean
  readonly redactor: Redactor
  /** @default systemClock */
  readonly clock?: Clock | undefined
  /**
   * Whether to color lines for people.
   * @default true if standard error is a terminal and `NO_COLOR` is unset
   */
  readonly colors?: boolean | undefined
  /**
   * Where to write lines.
   * @default standard error
   */
  readonly write?: ((line: string) => void) | undefined
}

function wrap(
  isEnabled: (level: Level) => boolean,
  log: (level: Level, message: string, attributes: LogAttributes) => void,
  bound: LogAttributes,
): Logger {
  // Checked once: the level is constant, and a suppressed line must cost nothing.
  const at = (level: Level) =>
    isEnabled(level)
      ? (message: string, attributes?: LogAttributes) => log(level, message, { ...bound, ...attributes })
      : () => {}
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (attributes) => wrap(isEnabled, log, { ...bound, ...attributes }),
  }
}

/** Credentials as in headers, wherever they come from. */
const credentials = /\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi

/** Errors as text, and nothing of unlimited length or depth. */
function printable(value: unknown, depth: number, cut: (text: string) => string): unknown {
  if (typeof value === 'string') return cut(value)
  if (value instanceof Error) return cut(describeError(value))
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value
  if (depth > maxDepth) return '…'
  if (Array.isArray(value)) return value.slice(0, maxEntries).map((item) => printable(item, depth + 1, cut))
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, maxEntries)
      .map(([name, item]) => [
        name,
        typeof item === 'string' && secretName.test(name) ? redacted : printable(item, depth + 1, cut),
      ]),
  )
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

/** For a line that contains a secret as a bare number: cleans it part by part. */
function cleanNumbers(line: string, clean: (text: string) => string): string {
  const cleaned = (value: unknown): unknown => {
    if (typeof value === 'object' && value !== null) {
      if (Array.isArray(value)) return value.map(cleaned)
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [clean(name), cleaned(item)]))
    }
    const text = clean(String(value))
    return text === String(value) ? value : text
  }
  return `${JSON.stringify(cleaned(JSON.parse(line)))}\n`
}
