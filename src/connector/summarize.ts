import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { metricsOf, type ConnectorStatus } from '../observe/connector-status.ts'

/** Logs the metrics line of the specification periodically, until `signal` aborts. */
export async function summarize(
  status: () => ConnectorStatus,
  { loaded, clock, logger }: RuntimeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { metricsIntervalMs } = loaded.delivery
  if (metricsIntervalMs === 0) return
  await repeatUntilAborted(() => logger.info('Connector metrics', metricsOf(status())), {
    clock,
    everyMs: metricsIntervalMs,
    signal,
  })
}
