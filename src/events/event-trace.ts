import { type Outcome } from './event-counters.ts'

/** What is told of an operation. */
export interface TracedOperation {
  readonly kind: string
  readonly tries: { readonly count: number }
  readonly entity: { readonly id: string; readonly type: string }
  readonly route?: { readonly name: string } | undefined
  readonly pendingEvent: { readonly trace?: EventTrace | undefined }
}

/** Follows the calls of hooks for an operation, or for a batch of them. */
export interface HookTrace {
  /** Calls a hook and hands on what it answers or throws. */
  run<T>(hook: string, call: () => T | Promise<T>): T | Promise<T>
}

/** Follows one event from when it was accepted to its end, for those who watch from outside. */
export interface EventTrace {
  /** What the event is about, once that is known. */
  about(entity: { readonly id: string; readonly type: string }): void
  hooksOf(operation: TracedOperation): HookTrace
  /** A hook has failed at one of its operations. */
  failed(hook: string, operation: TracedOperation, error: unknown): void
  end(outcome: Outcome): void
}
