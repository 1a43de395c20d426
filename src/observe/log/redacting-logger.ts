import { type LogAttributes, type Logger, silentLogger } from '../../util/logger.ts'
import { type Redactor } from '../../util/redactor.ts'
import { scrubbed } from './scrub.ts'

/** Wraps `logger` to redact messages and attributes first. */
export function redactingLogger(logger: Logger, redactor: Redactor): Logger {
  if (logger === silentLogger) return logger
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, attributes?: LogAttributes) => {
      if (attributes === undefined) logger[level](redactor.clean(message))
      else logger[level](redactor.clean(message), scrubbed(attributes, redactor))
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (attributes) => redactingLogger(logger.child(scrubbed(attributes, redactor)), redactor),
  }
}
