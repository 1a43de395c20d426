import type * as api from '@opentelemetry/api'
import { errorFacts } from '../../errors/error-facts.ts'

/** What of OpenTelemetry is used. */
export type TracingApi = Pick<
  typeof api,
  'context' | 'trace' | 'ProxyTracerProvider' | 'ROOT_CONTEXT' | 'SpanKind' | 'SpanStatusCode'
>

/** In a variable, so that whoever bundles a connector need not have it. */
const packageName = '@opentelemetry/api'

/**
 * The API of OpenTelemetry, an optional peer dependency; undefined where it is not installed.
 *
 * @throws whatever is wrong with it when it is installed and cannot be loaded.
 */
export async function loadTracingApi(name = packageName): Promise<TracingApi | undefined> {
  try {
    return (await import(name)) as TracingApi
  } catch (error) {
    if (errorFacts(error, 0).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}
