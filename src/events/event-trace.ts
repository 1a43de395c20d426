import { type Outcome } from './event-counters.ts'

/** What a trace says about an operation. */
export interface TracedOperation {
  readonly kind: string
  readonly attempts: { readonly count: number }
  readonly entity: { readonly id: string; readonly type: string }
  readonly route?: { readonly name: string } | undefined
  readonly pendingEvent: { readonly trace?: EventTrace | undefined }
}

/** Traces the hook calls of an operation or a batch. */
export interface HookTrace {
  /** Calls a hook and passes on its result or error. */
  run<T>(hook: string, call: () => T | Promise<T>): T | Promise<T>
}

/** Traces an event from acceptance to its end, for observers. */
export interface EventTrace {
  /** The event's entity, once known. */
  about(entity: { readonly id: string; readonly type: string }): void
  hooksOf(operation: TracedOperation): HookTrace
  /** A hook failed for one of its operations. */
  failed(hook: string, operation: TracedOperation, error: unknown): void
  end(outcome: Outcome): void
}
