import { delay } from '../util/delay.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { metricsOf, type ConnectorStatus } from '../observe/connector-status.ts'

/** Writes the specification's line of metrics into the log now and then, until `signal` is aborted. */
export async function summarize(
  status: () => ConnectorStatus,
  { loaded, clock, logger }: RuntimeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { metricsIntervalMs } = loaded.delivery
  if (metricsIntervalMs === 0) return
  while (!signal.aborted) {
    try {
      await delay(clock, metricsIntervalMs, signal)
    } catch {
      return
    }
    logger.info('Connector metrics', metricsOf(status()))
  }
}
