import { requireHooks } from '../target/require-hooks.ts'
import { describeError } from '../errors/verdict.ts'
import { type Clock } from '../util/clock.ts'
import { silentLogger } from '../util/logger.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type AnyConnector } from '../connector/load-connector.ts'
import { type CheckResult, failed, ok } from './check-result.ts'

/** Name of {@link checkTarget}. */
export const targetCheck = 'Target'

/**
 * Checks the target through the connector's own `open()`, `check()`, and `close()`. Sends no events. Error
 * messages may contain secrets. Fails early for a class without the required hooks.
 */
export async function checkTarget(
  connector: AnyConnector,
  clock: Clock,
  limitMs: number,
): Promise<CheckResult> {
  try {
    const { lists = {} } = connector.constructor as { lists?: object }
    const takesWholeLists = connector.replaceAll !== undefined || Object.keys(lists).length > 0
    requireHooks(connector, takesWholeLists, silentLogger)
  } catch (error) {
    return failed(targetCheck, error)
  }
  let problem: CheckResult | undefined
  const step = async (name: string, call: (signal: AbortSignal) => unknown) => {
    const limit = new AbortController()
    const cancel = clock.schedule(limitMs, () =>
      limit.abort(new Error(`no answer within ${limitMs / 1000} s; raise the limit with --timeout`)),
    )
    try {
      await raceWithSignal(limit.signal, async () => {
        await call(limit.signal)
      })
    } catch (error) {
      problem ??= failed(targetCheck, `${name}() failed: ${describeError(error)}`)
    } finally {
      cancel()
    }
  }
  await step('open', () => connector.open?.())
  if (problem === undefined) await step('check', (signal) => connector.check?.(signal))
  // Even after a failure, because open() may have opened a part.
  await step('close', () => connector.close?.())
  if (problem !== undefined) return problem
  return connector.check === undefined
    ? ok(targetCheck, 'the connector has no check(), so the target was not contacted')
    : ok(targetCheck, 'the connector says it is ready')
}
