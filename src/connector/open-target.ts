import { judge } from '../errors/verdict.ts'
import { keepTrying, type KeepTryingOptions } from '../session/keep-trying.ts'

/**
 * Calls the author's `open` until it succeeds, as long as the target keeps it from that.
 *
 * @throws any other error of `open`, which is for a person.
 */
export async function openTarget(
  open: () => Promise<void>,
  options: KeepTryingOptions,
  signal: AbortSignal,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  const attempt = () =>
    open().catch((error: unknown) => {
      if (judge(error, true, options.clock.now()).ofTarget) throw error
      failure = { error }
    })
  await keepTrying(attempt, 'The target is not ready yet', options, signal, () => true)
  if (failure !== undefined) throw failure.error
}
