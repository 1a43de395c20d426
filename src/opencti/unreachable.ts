import { explainNetworkError } from '../errors/explain-network-error.ts'
import { PlatformError } from '../errors/platform-error.ts'

/** Causes are followed no further than this, in case they go round in a circle. */
const maxDepth = 8

/**
 * The error for a request that got no answer. ky's own errors are not kept as the cause: they carry the request, and with
 * it the token.
 */
export function unreachable(error: unknown): PlatformError {
  let cause = error
  for (let depth = 0; depth < maxDepth && cause instanceof Error && 'request' in cause; depth++)
    cause = cause.cause
  return new PlatformError(
    'PLATFORM_UNREACHABLE',
    `The OpenCTI platform cannot be reached: ${explainNetworkError(error)}.`,
    { cause },
  )
}
