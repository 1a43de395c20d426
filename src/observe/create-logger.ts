import pino from 'pino'
import { type LogAttributes, type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'

/** How a connector logs. */
export interface CreateLoggerOptions {
  /** The connector's name, in every line. */
  readonly name: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** JSON lines; otherwise lines for people. */
  readonly json: boolean
  readonly redactor: Redactor
  /** Where lines go. Default: standard error. */
  readonly write?: ((line: string) => void) | undefined
}

/** The longest text of an attribute; more is cut, in characters. */
const maxTextCharacters = 4000

/**
 * A logger that writes the JSON lines of OpenCTI connectors: `timestamp`, `level`, `name`, `message`, `attributes`.
 * Every line is cleaned of the secrets that the redactor knows, wherever they stand.
 */
export function createLogger(options: CreateLoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  const destination = {
    write: (line: string) => write(options.redactor.clean(options.json ? line : readable(line))),
  }
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"timestamp":"${new Date(Date.now()).toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label === 'warn' ? 'WARNING' : label.toUpperCase(), name: options.name }),
      },
    },
    destination,
  )
  return wrap(logger, {})
}

function wrap(logger: pino.Logger, bound: LogAttributes): Logger {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, attributes?: LogAttributes) => {
      if (!logger.isLevelEnabled(level)) return
      const all = { ...bound, ...attributes }
      if (Object.keys(all).length === 0) logger[level](message)
      else logger[level]({ attributes: printable(all) }, message)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (attributes) => wrap(logger, { ...bound, ...attributes }),
  }
}

/** Errors by their words, and nothing of endless length. */
function printable(attributes: LogAttributes): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => {
      const shown = value instanceof Error ? value.message : value
      return [
        name,
        typeof shown === 'string' && shown.length > maxTextCharacters
          ? `${shown.slice(0, maxTextCharacters)}…`
          : shown,
      ]
    }),
  )
}

/** A JSON line as a person reads it. */
function readable(line: string): string {
  const { timestamp, level, message, attributes } = JSON.parse(line) as {
    timestamp: string
    level: string
    message: string
    attributes?: Record<string, unknown>
  }
  const facts = Object.entries(attributes ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `${timestamp.slice(11, 19)} ${level.padEnd(7)} ${message}${facts.length > 0 ? `  ${facts.join(' ')}` : ''}\n`
}
