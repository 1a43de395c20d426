import type { Context, Span } from '@opentelemetry/api'
import { isStreamConnectorError } from '../../errors/stream-connector-error.ts'
import { describeError } from '../../errors/verdict.ts'
import { isThenable } from '../../util/is-thenable.ts'
import { type SpanTools } from './event-span.ts'

/**
 * Makes a call with `span` active, so that anything instrumented in it, such as an HTTP request, becomes a
 * child; ends the span when the call ends.
 *
 * @param onError called with what the call threw.
 */
export function runInSpan<T>(
  tools: SpanTools,
  span: Span,
  parent: Context,
  call: () => T | Promise<T>,
  onError: (error: unknown) => void,
): T | Promise<T> {
  const { api } = tools
  const failed = (error: unknown) => {
    recordError(tools, span, error)
    span.end()
    onError(error)
  }
  let result: T | Promise<T>
  try {
    // A custom thenable may start its work on each "then"; a native promise calls it once.
    result = api.context.with(api.trace.setSpan(parent, span), () => {
      const answer = call()
      return answer instanceof Promise || !isThenable(answer) ? answer : Promise.resolve(answer)
    }) as T | Promise<T>
  } catch (error) {
    failed(error)
    throw error
  }
  if (!(result instanceof Promise)) {
    span.end()
    return result
  }
  result.then(() => span.end(), failed)
  return result
}

/** Records an error without secrets. Does not modify the error. */
function recordError({ api, clean }: SpanTools, span: Span, error: unknown): void {
  if (!span.isRecording()) return
  const message = clean(describeError(error))
  if (isStreamConnectorError(error) && error.code === 'SKIP') {
    span.setAttribute('opencti.outcome.reason', message)
    return
  }
  const { name, stack } = error instanceof Error ? error : { name: 'Error', stack: undefined }
  span.recordException({ name, message, ...(stack === undefined ? {} : { stack: clean(stack) }) })
  span.setStatus({ code: api.SpanStatusCode.ERROR, message })
}
