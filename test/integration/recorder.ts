import {
  StreamConnector,
  type ConnectorNotice,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type LogAttributes,
  type Logger,
} from 'opencti-stream-connector'

/** One call of a hook. */
export interface HookCall {
  readonly hook: 'create' | 'update' | 'delete'
  readonly entityId: string
  readonly internalId: string | undefined
  readonly reason: string | undefined
  readonly position: string | undefined
  readonly isDependency: boolean
  readonly entity: Entity
  readonly changed: readonly string[]
  readonly previous: Entity | undefined
}

/** A log line. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly attributes: LogAttributes | undefined
}

/** What a {@link Recorder} is given beside the options of a connector. */
export interface RecorderOptions extends ConnectorOptions {
  /** Runs inside each hook, before it is recorded: waits, or throws. */
  readonly onCall?: ((call: HookCall) => unknown) | undefined
}

/** A connector whose target is a list. */
export class Recorder extends StreamConnector {
  static override readonly defaults = { name: 'Recorder', concurrency: 8 }

  readonly calls: HookCall[] = []
  readonly notices: ConnectorNotice[]
  readonly lines: LogLine[]
  /** Runs inside each hook, before it is recorded. */
  onCall: ((call: HookCall) => unknown) | undefined

  constructor(options: RecorderOptions) {
    const notices: ConnectorNotice[] = []
    const lines: LogLine[] = []
    const { onCall, ...rest } = options
    super({ logger: recordingLogger(lines), ...rest, onNotice: (notice) => notices.push(notice) })
    this.notices = notices
    this.lines = lines
    this.onCall = onCall
  }

  transform(entity: Entity, _context: EventContext): Entity | Promise<Entity> {
    return entity
  }

  override create(_item: Entity, context: EventContext): Promise<void> {
    return this.#record('create', context)
  }

  override update(_item: Entity, context: EventContext): Promise<void> {
    return this.#record('update', context)
  }

  override delete(context: EventContext): Promise<void> {
    return this.#record('delete', context)
  }

  /** The calls about one entity, as `hook` or `hook:reason`. */
  callsOf(entityId: string): string[] {
    return this.calls
      .filter((call) => call.entityId === entityId)
      .map(({ hook, reason }) => (reason === undefined ? hook : `${hook}:${reason}`))
  }

  /** The notices of the stream, by kind. */
  get streamKinds(): string[] {
    return this.notices.flatMap((notice) => (notice.kind === 'stream' ? [notice.notice.kind] : []))
  }

  /** The first notice of a kind. */
  notice<Kind extends ConnectorNotice['kind']>(
    kind: Kind,
  ): Extract<ConnectorNotice, { kind: Kind }> | undefined {
    return this.notices.find(
      (notice): notice is Extract<ConnectorNotice, { kind: Kind }> => notice.kind === kind,
    )
  }

  async #record(hook: HookCall['hook'], context: EventContext): Promise<void> {
    const { entityId, internalId, reason, position, isDependency, entity, changed } = context
    const previous = context.previous()
    const call = { hook, entityId, internalId, reason, position, isDependency, entity, changed, previous }
    await this.onCall?.(call)
    this.calls.push(call)
  }
}

function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: LogLine['level']) => (message: string, attributes?: LogAttributes) => {
    lines.push({ level, message, attributes })
  }
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  }
  return logger
}
