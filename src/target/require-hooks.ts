import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Logger } from '../util/logger.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'

/**
 * Logs the events a connector class cannot handle.
 *
 * @param takesWholeLists whether the target takes only the whole list, or the connector has lists in files.
 * @throws StreamConnectorError `HOOK_MISSING` if it cannot handle any.
 */
export function requireHooks(hooks: ConnectorHooks, takesWholeLists: boolean, logger: Logger): void {
  // The compiler requires it; in JavaScript, a misspelled one would turn every event into a dead letter.
  if (typeof hooks.transform !== 'function') {
    throw new StreamConnectorError(
      'HOOK_MISSING',
      'The connector class has no transform hook, which converts an entity for the target. Add one.',
    )
  }
  if (hooks.flush !== undefined || takesWholeLists) return
  const missing = (['create', 'update', 'delete'] as const).filter((hook) => hooks[hook] === undefined)
  if (missing.length === 3) {
    throw new StreamConnectorError(
      'HOOK_MISSING',
      'The connector class has no create, update, delete, flush, or replaceAll hook, so it cannot do anything. Add at least one.',
    )
  }
  for (const hook of missing) {
    logger.warn(`The connector has no ${hook} hook: such events are skipped`, { reason: `no-${hook}-hook` })
  }
}
