// Type-only: a value import would remain in the build and require the package.
import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api'
import { isStreamConnectorError } from '../../errors/stream-connector-error.ts'
import { describeError } from '../../errors/verdict.ts'
import { type Outcome } from '../../events/event-counters.ts'
import { type EventTrace, type HookTrace, type TracedOperation } from '../../events/event-trace.ts'
import { runInSpan } from './run-in-span.ts'
import { type TracingApi } from './tracing-api.ts'

/** Shared by all spans of a connector. */
export interface SpanTools {
  readonly api: TracingApi
  readonly tracer: Tracer
  /** Redacts secrets. */
  readonly clean: (text: string) => string
}

/** Span of one event, with a child span for each hook call. */
export class EventSpan implements EventTrace {
  readonly #tools: SpanTools
  readonly #span: Span
  readonly #context: Context
  readonly #onEnd: (span: EventSpan) => void
  #attempts = 0
  #isEnded = false

  /** @param parent context `span` was started in. */
  constructor(tools: SpanTools, span: Span, parent: Context, onEnd: (span: EventSpan) => void) {
    this.#tools = tools
    this.#span = span
    this.#context = tools.api.trace.setSpan(parent, span)
    this.#onEnd = onEnd
  }

  get span(): Span {
    return this.#span
  }

  about(entity: { readonly id: string; readonly type: string }): void {
    this.#span.setAttribute('opencti.entity.id', entity.id)
    this.#span.setAttribute('opencti.entity.type', entity.type)
  }

  hooksOf(operation: TracedOperation): HookTrace {
    return {
      run: (hook, call) => {
        this.#attempts = Math.max(this.#attempts, operation.attempts.count)
        const attributes = attributesOf(hook, operation)
        const span = this.#tools.tracer.startSpan(`hook ${hook}`, { attributes }, this.#context)
        const onError = (error: unknown) => this.failed(hook, operation, error)
        return runInSpan(this.#tools, span, this.#context, call, onError)
      },
    }
  }

  failed(hook: string, operation: TracedOperation, error: unknown): void {
    if (isStreamConnectorError(error) && error.code === 'SKIP') return
    this.#attempts = Math.max(this.#attempts, operation.attempts.count)
    if (!this.#span.isRecording()) return
    const message = this.#tools.clean(describeError(error))
    this.#span.addEvent('attempt failed', {
      ...attributesOf(hook, operation),
      'exception.message': message,
    })
  }

  end(outcome: Outcome): void {
    // It was abandoned, but a hook working on it has ended after all.
    if (this.#isEnded) return
    if (this.#span.isRecording()) {
      this.#span.setAttribute('opencti.outcome', outcome.kind)
      if (this.#attempts > 0) this.#span.setAttribute('opencti.attempts', this.#attempts)
      const reason = 'reason' in outcome ? this.#tools.clean(outcome.reason) : undefined
      if (reason !== undefined) this.#span.setAttribute('opencti.outcome.reason', reason)
      if (outcome.kind === 'dead-lettered')
        this.#span.setStatus({ code: this.#tools.api.SpanStatusCode.ERROR, message: reason! })
    }
    this.#close()
  }

  /** The connector stops before the event has ended; it is delivered again at the next start. */
  giveUp(): void {
    this.#span.setAttribute('opencti.outcome', 'unfinished')
    this.#close()
  }

  #close(): void {
    this.#isEnded = true
    this.#span.end()
    this.#onEnd(this)
  }
}

function attributesOf(hook: string, operation: TracedOperation): Attributes {
  const { kind, attempts, entity, route } = operation
  return {
    'opencti.hook': hook,
    'opencti.operation': kind,
    'opencti.attempt': attempts.count,
    'opencti.entity.id': entity.id,
    'opencti.entity.type': entity.type,
    ...(route === undefined ? {} : { 'opencti.route': route.name }),
  }
}
