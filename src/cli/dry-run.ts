import { type EventContext } from '../contract/event-context.ts'
import { type ConnectorClass } from './load-connector.ts'

/** What would have been done at the target. */
export interface PlannedOperation {
  readonly operation: 'create' | 'update' | 'delete'
  /** What `transform` made of the entity; absent for a delete. */
  readonly item?: unknown
  readonly context: EventContext
}

/**
 * A class that does all that `connector` does, except for touching the target: `create`, `update`, `delete` and `flush` are
 * told of instead, `find` finds nothing. Its `transform`, `open` and `close` are the connector's own.
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
      // On the object itself: an author's hook can be a field as well as a method.
      for (const [name, hook] of Object.entries(hooks)) {
        const isMissing = !isBulk && this[name as keyof typeof hooks] === undefined
        if (!isMissing) Object.defineProperty(this, name, { value: hook })
      }
      Object.defineProperty(this, 'find', { value: undefined })
      Object.defineProperty(this, 'flush', { value: undefined })
    }
  }
  // Looked at before the fields of the object are there.
  Object.defineProperty(DryRun.prototype, 'flush', { value: undefined })
  Object.defineProperty(DryRun, 'name', { value: connector.name })
  return DryRun
}
