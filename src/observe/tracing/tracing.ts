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
 * Tells OpenTelemetry what becomes of each event. It is on when the program has registered a tracer provider before the
 * connector starts; if not, nothing at all is done for an event.
 */
export class Tracing {
  readonly #options: TracingOptions
  readonly #common: Attributes
  #tools: SpanTools | undefined
  /** Events that have not ended; as many as the queue holds at most. */
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

  /** Looks whether somebody listens. Never fails: a connector works without being watched. */
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
   * @param isAlone whether nothing that is under way has caused it, as when it came from the stream.
   * @returns what has to be told of its end; undefined when nobody listens.
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

  /** Operations of several events are handed to one hook: a span of its own, with links to theirs. */
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

  /** What has not ended by now comes again at the next start. */
  close(): void {
    for (const event of this.#open) event.giveUp()
    this.#tools = undefined
  }
}

export interface TracingOptions {
  readonly settings: Pick<ConnectorSettings, 'id' | 'live_stream_id'>
  readonly logger: Logger
  /** Takes secrets out of a text. */
  readonly clean: (text: string) => string
  /** Default: `@opentelemetry/api`, if it is installed. */
  readonly load?: (() => Promise<TracingApi | undefined>) | undefined
}
