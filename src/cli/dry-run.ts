import { type EventContext } from '../contract/event-context.ts'
import { type ConnectorClass } from '../connector/load-connector.ts'

/** An operation that would have been performed. */
export interface PlannedOperation {
  readonly operation: 'create' | 'update' | 'delete'
  /** Result of `transform`. Undefined for a delete. */
  readonly item?: unknown
  readonly context: EventContext
}

/**
 * Creates a class that behaves like `connector` but does not touch the target: `create`, `update`, `delete`,
 * and `flush` are reported instead, and `find` finds nothing. `transform`, `open`, and `close` are the
 * connector's own.
 */
export function dryRunOf(
  connector: ConnectorClass,
  onOperation: (planned: PlannedOperation) => void,
): ConnectorClass {
  const isBulk = connector.prototype.flush !== undefined
  const hooks = {
    create: (item: unknown, context: EventContext) => onOperation({ operation: 'create', item, context }),
    update: (item: unknown, context: EventContext) => onOperation({ operation: 'update', item, context }),
    delete: (context: EventContext) => onOperation({ operation: 'delete', context }),
  }
  const DryRun = class extends connector {
    constructor(options: ConstructorParameters<ConnectorClass>[0]) {
      super(options)
      // On the instance, because an author's hook can be a field as well as a method.
      for (const [name, hook] of Object.entries(hooks)) {
        const isMissing = !isBulk && this[name as keyof typeof hooks] === undefined
        if (!isMissing) Object.defineProperty(this, name, { value: hook })
      }
      Object.defineProperty(this, 'find', { value: undefined })
      Object.defineProperty(this, 'flush', { value: undefined })
    }
  }
  // Read before the instance's fields exist.
  Object.defineProperty(DryRun.prototype, 'flush', { value: undefined })
  Object.defineProperty(DryRun, 'name', { value: connector.name })
  return DryRun
}
