import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ConnectorNotice,
  type ConnectorOptions,
  type Entity,
  silentLogger,
  StreamConnector,
} from 'opencti-stream-connector'

/** A connector whose hooks do nothing. */
export class NoOpConnector extends StreamConnector {
  transform(entity: Entity): Entity {
    return entity
  }
  override create(): void {}
  override update(): void {}
  override delete(): void {}
}

/** A target that answers after some time. */
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

/** A connector on the stream of the frames server, and what is needed to measure it. */
export class Bench implements AsyncDisposable {
  readonly connector: StreamConnector
  /** Resolves when the stream is open and its first event is about to come. */
  readonly connected: Promise<void>
  readonly #directory: string

  /**
   * @param env options of delivery, as an operator would set them.
   * @param logs whether the connector writes its own log lines, to standard error; silent otherwise.
   */
  constructor(
    connectorClass: new (options: ConnectorOptions) => StreamConnector,
    url: string,
    stream: string,
    env: Readonly<Record<string, string>> = {},
    logs = false,
  ) {
    const connected = Promise.withResolvers<void>()
    this.connected = connected.promise
    this.#directory = mkdtempSync(join(tmpdir(), 'bench-'))
    this.connector = new connectorClass({
      ...(logs ? {} : { logger: silentLogger }),
      directory: this.#directory,
      env: {
        OPENCTI_URL: url,
        OPENCTI_TOKEN: 'bench',
        CONNECTOR_ID: 'bench',
        CONNECTOR_NAME: 'Bench',
        CONNECTOR_LIVE_STREAM_ID: stream,
        CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0',
        CONNECTOR_LIVE_STREAM_RECOVER: 'false',
        CONNECTOR_STATE_DIR: this.#directory,
        CONNECTOR_STOP_GRACE_MS: '0',
        ...env,
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

  /** Resolves when so many events have come to their end. Looks seldom, so as not to be measured itself. */
  async finished(events: number): Promise<void> {
    for (;;) {
      const { received, inFlight } = this.connector.status()
      if (received - inFlight >= events) return
      await sleep(2)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connector.abandon()
    await this.connector.stop()
    rmSync(this.#directory, { recursive: true })
  }
}
