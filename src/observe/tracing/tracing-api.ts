import type * as api from '@opentelemetry/api'
import { errorFacts } from '../../errors/error-facts.ts'

/** The part of OpenTelemetry we use. */
export type TracingApi = Pick<
  typeof api,
  'context' | 'trace' | 'ProxyTracerProvider' | 'ROOT_CONTEXT' | 'SpanKind' | 'SpanStatusCode'
>

/** In a variable, so that bundlers do not require the package. */
const packageName = '@opentelemetry/api'

/**
 * Loads the OpenTelemetry API, an optional peer dependency; undefined if it is not installed.
 *
 * @throws any error in loading it if it is installed.
 */
export async function loadTracingApi(name = packageName): Promise<TracingApi | undefined> {
  try {
    return (await import(name)) as TracingApi
  } catch (error) {
    if (errorFacts(error, 0).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}
