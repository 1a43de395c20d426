/** Attributes of a log line, as one flat object. */
export type LogAttributes = Readonly<Record<string, unknown>>

/**
 * Receives this package's log lines. The default writes the JSON lines of OpenCTI connectors; any object with
 * these methods works.
 *
 * @example
 * ```ts
 * import { type Logger } from 'opencti-stream-connector'
 *
 * const quiet: Logger = { debug() {}, info() {}, warn() {}, error: console.error, child: () => quiet }
 * ```
 */
export interface Logger {
  debug(message: string, attributes?: LogAttributes): void
  info(message: string, attributes?: LogAttributes): void
  warn(message: string, attributes?: LogAttributes): void
  error(message: string, attributes?: LogAttributes): void
  /** A logger that adds `attributes` to every line. */
  child(attributes: LogAttributes): Logger
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
}
