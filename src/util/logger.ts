/** Facts that go with a log line, as one flat object. */
export type LogAttributes = Readonly<Record<string, unknown>>

/**
 * Where this package writes its log lines. The default writes the JSON lines that OpenCTI connectors write; any
 * object with these methods can take its place.
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
  /** A logger that adds `attributes` to each of its lines. */
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
