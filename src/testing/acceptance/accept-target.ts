import { AcceptancePlan } from './acceptance-plan.ts'
import { type AcceptTargetOptions } from './acceptance-options.ts'

/**
 * Proves that a connector and its target get along, whatever happens: registers a test for each promise. Each one runs the connector in a
 * process, against a simulated platform and the real target, kills it, takes the target away, and in the end compares what
 * the target holds with what a calm run makes of the same platform.
 *
 * @example
 * ```ts
 * import { acceptTarget } from 'opencti-stream-connector/testing'
 * import { test } from 'vitest'
 *
 * const held = new Map<string, unknown>()
 * acceptTarget({
 *   test,
 *   connector: new URL('./connector.ts', import.meta.url),
 *   env: { SIEM_TOKEN: 'a-token-for-trying-it' },
 *   target: {
 *     address: { setting: 'SIEM_URL', url: 'http://127.0.0.1:4100/api' },
 *     read: () => held,
 *     reset: () => held.clear(),
 *   },
 * })
 * ```
 */
export function acceptTarget({ test, ...options }: AcceptTargetOptions): void {
  const plan = new AcceptancePlan(options)
  for (const promise of plan.promises) {
    test(promise.name, { timeout: plan.timeoutMs }, async (context) => {
      const verdict = await plan.try(promise)
      if (!verdict.isTried) skip(context, `not tried: ${verdict.why}`)
      else if (verdict.note !== undefined) await remark(context, verdict.note)
    })
  }
}

/** Vitest and `node:test` hand out a context that takes a remark, each under its own name. */
async function remark(context: unknown, text: string): Promise<void> {
  const { annotate, diagnostic } = (context ?? {}) as Record<string, unknown>
  const say = annotate ?? diagnostic
  if (typeof say === 'function') await (say as (text: string) => unknown).call(context, text)
}

/** Vitest and `node:test` hand out a context that can skip. */
function skip(context: unknown, why: string): void {
  const { skip } = (context ?? {}) as { skip?: unknown }
  if (typeof skip === 'function') (skip as (why: string) => void).call(context, why)
}
