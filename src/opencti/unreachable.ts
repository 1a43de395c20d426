import { explainNetworkError } from '../errors/explain-network-error.ts'
import { PlatformError } from '../errors/platform-error.ts'

/** Maximum depth of causes to follow, because they may form a cycle. */
const maxDepth = 8

/**
 * The error for a request without an answer. ky's own errors are not kept as the cause: they contain the
 * request, including the token.
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
