import type { Attributes } from '@opentelemetry/api'
import { describeError } from '../../errors/verdict.ts'
import { type EventTrace, type HookTrace, type TracedOperation } from '../../events/event-trace.ts'
import { type ConnectorSettings } from '../../settings/schemas/connector-settings.ts'
import { type Logger } from '../../util/logger.ts'
import { version } from '../../util/version.ts'
import { EventSpan, type SpanTools } from './event-span.ts'
import { runInSpan } from './run-in-span.ts'
import { loadTracingApi, type TracingApi } from './tracing-api.ts'

const scope = 'opencti-stream-connector'

/**
 * Reports each event's progress to OpenTelemetry. Enabled if the program registered a tracer provider before
 * the connector starts; otherwise it does nothing per event.
 */
export class Tracing {
  readonly #options: TracingOptions
  readonly #common: Attributes
  #tools: SpanTools | undefined
  /** Unfinished events; limited by the size of the queue. */
  readonly #open = new Set<EventSpan>()
  readonly #onEnd = (span: EventSpan) => void this.#open.delete(span)

  constructor(options: TracingOptions) {
    const { id, live_stream_id } = options.settings
    this.#options = options
    this.#common = {
      'messaging.system': 'opencti',
      'messaging.operation.type': 'process',
      'opencti.connector.id': id,
      ...(live_stream_id === undefined ? {} : { 'messaging.destination.name': live_stream_id }),
    }
  }

  /** Checks whether tracing is enabled. Never fails: a connector also works unobserved. */
  async open(): Promise<void> {
    const { load = loadTracingApi, logger, clean } = this.#options
    try {
      const api = await load()
      if (api === undefined) return
      const provider = api.trace.getTracerProvider()
      const hasNone =
        provider instanceof api.ProxyTracerProvider && provider.getDelegateTracer(scope) === undefined
      if (!hasNone) this.#tools = { api, tracer: provider.getTracer(scope, version), clean }
    } catch (error) {
      logger.warn('OpenTelemetry cannot be used; continuing without it', { error: describeError(error) })
    }
  }

  /**
   * An event was accepted.
   *
   * @param isAlone whether nothing in flight caused it, as for stream events.
   * @returns receives the event's end; undefined if tracing is disabled.
   */
  begin(name: string, position: string | undefined, isAlone: boolean): EventTrace | undefined {
    const tools = this.#tools
    if (tools === undefined) return undefined
    const { api, tracer } = tools
    const parent = isAlone ? api.ROOT_CONTEXT : api.context.active()
    const attributes = {
      ...this.#common,
      'opencti.event.name': name,
      ...(position === undefined ? {} : { 'messaging.message.id': position }),
    }
    const span = tracer.startSpan(`event ${name}`, { kind: api.SpanKind.CONSUMER, attributes }, parent)
    const event = new EventSpan(tools, span, parent, this.#onEnd)
    this.#open.add(event)
    return event
  }

  /** One hook call for operations of several events: a separate span, linked to theirs. */
  batch(operations: readonly TracedOperation[]): HookTrace | undefined {
    const tools = this.#tools
    if (tools === undefined) return undefined
    const { api, tracer } = tools
    return {
      run: (hook, call) => {
        const links = operations.flatMap(({ pendingEvent: { trace } }) =>
          trace instanceof EventSpan ? [{ context: trace.span.spanContext() }] : [],
        )
        const attributes = {
          ...this.#common,
          'opencti.hook': hook,
          'messaging.batch.message_count': operations.length,
        }
        const span = tracer.startSpan(`hook ${hook}`, { attributes, links }, api.ROOT_CONTEXT)
        return runInSpan(tools, span, api.ROOT_CONTEXT, call, (error) => {
          for (const operation of operations) operation.pendingEvent.trace?.failed(hook, operation, error)
        })
      },
    }
  }

  /** Unfinished events are delivered again at the next start. */
  close(): void {
    for (const event of this.#open) event.giveUp()
    this.#tools = undefined
  }
}

export interface TracingOptions {
  readonly settings: Pick<ConnectorSettings, 'id' | 'live_stream_id'>
  readonly logger: Logger
  /** Redacts secrets. */
  readonly clean: (text: string) => string
  /** @default () => loadTracingApi() */
  readonly load?: (() => Promise<TracingApi | undefined>) | undefined
}
