import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ConnectorNotice,
  type ConnectorOptions,
  type Entity,
  type FlushOperation,
  silentLogger,
  StreamConnector,
} from 'opencti-stream-connector'
import { benchEnvironment } from './bench-environment.ts'

/** A connector whose hooks do nothing. */
export class NoOpConnector extends StreamConnector {
  transform(entity: Entity): Entity {
    return entity
  }
  override create(): void {}
  override update(): void {}
  override delete(): void {}
}

/** A target that answers after a delay. */
export class SlowConnector extends NoOpConnector {
  static latencyMs = 20
  override async create(): Promise<void> {
    await sleep(SlowConnector.latencyMs)
  }
}

/** A target that never answers. */
export class SilentConnector extends NoOpConnector {
  override async create(): Promise<void> {
    await new Promise(() => {})
  }
}

/** A target over HTTP, with one request per event. */
export class HttpConnector extends NoOpConnector {
  static url = ''
  override async create(): Promise<void> {
    await this.http.post(HttpConnector.url, { json: { id: 1 } }).json()
  }
}

/** A target over HTTP that accepts batches. */
export class BulkConnector extends StreamConnector {
  static url = ''
  transform(entity: Entity): Entity {
    return entity
  }
  override async flush(operations: readonly FlushOperation<unknown>[]): Promise<void> {
    await this.http.post(BulkConnector.url, { json: operations.map(({ item }) => item) }).json()
  }
}

/** A connector on a stream of the frames server, with methods to measure it. */
export class Bench implements AsyncDisposable {
  readonly connector: StreamConnector
  /** Resolves when the stream is open and its first event is about to come. */
  readonly connected: Promise<void>
  readonly directory: string
  readonly #isKept: boolean

  /**
   * @param options.env delivery options, as an operator would set them.
   * @param options.logs whether the connector logs to standard error; silent by default.
   * @param options.directory an existing state to continue with, which is kept; by default a new one.
   */
  constructor(
    connectorClass: new (options: ConnectorOptions) => StreamConnector,
    url: string,
    stream: string,
    options: {
      readonly env?: Readonly<Record<string, string>>
      readonly logs?: boolean
      readonly directory?: string | undefined
    } = {},
  ) {
    const connected = Promise.withResolvers<void>()
    this.connected = connected.promise
    this.#isKept = options.directory !== undefined
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'bench-'))
    this.connector = new connectorClass({
      ...(options.logs === true ? {} : { logger: silentLogger }),
      directory: this.directory,
      env: {
        ...benchEnvironment(url, stream, this.directory),
        ...options.env,
      },
      onNotice: (notice: ConnectorNotice) => {
        if (notice.kind === 'stream' && notice.notice.kind === 'connected') connected.resolve()
      },
    })
  }

  async start(): Promise<void> {
    await this.connector.start()
    await this.connected
  }

  /**
   * Resolves when this many events have ended. Checks seldom while many are left, because the status looks at everything in
   * flight: every 2 ms, that took 3 % of the time with batches of 1000.
   */
  async finished(events: number): Promise<void> {
    for (;;) {
      const { received, inFlight } = this.connector.status()
      const left = events - (received - inFlight)
      if (left <= 0) return
      await sleep(left > 10_000 ? 50 : 5)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connector.abandon()
    await this.connector.stop()
    if (!this.#isKept) rmSync(this.directory, { recursive: true })
  }
}
