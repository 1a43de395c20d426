import { describeError } from '../errors/verdict.ts'
import { type ConnectorSettings } from '../settings/connector-settings.ts'
import { type DeliveryOptions } from '../settings/delivery-options.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'
import { type HookFigures, HookTimings } from './hook-timings.ts'
import { canShare, type HttpAnswer, HttpEndpoint, type HttpService } from './http-endpoint.ts'
import { Metrics } from './metrics.ts'
import { type ObservedFacts } from './observed-facts.ts'
import { readiness } from './readiness.ts'
import { scrubbed } from './scrub.ts'
import { StreamWatch } from './stream-watch.ts'
import { Tracing } from './tracing.ts'

/** What an {@link Observation} needs. */
export interface ObservationOptions {
  readonly settings: ConnectorSettings
  readonly health: DeliveryOptions['health']
  readonly clock: Clock
  readonly logger: Logger
  readonly redactor: Redactor
  readonly facts: () => ObservedFacts
  /** The public status of the connector; `/status` answers it, with more. */
  readonly status: () => Readonly<Record<string, unknown>>
}

/** Where the connector can be asked how it does; absent for what is not served. */
export interface EndpointAddresses {
  /** `/healthz`, `/readyz` and `/status`. */
  readonly health?: string | undefined
  /** `/metrics`. */
  readonly metrics?: string | undefined
}

/** All that can be seen of a connector from outside: gathers it, and serves it while the connector lives. */
export class Observation {
  readonly stream: StreamWatch
  readonly timings: HookTimings
  readonly tracing: Tracing
  readonly #options: ObservationOptions
  readonly #startedMs: number
  #endpoints: readonly HttpEndpoint[] = []
  #addresses: EndpointAddresses = {}

  constructor(options: ObservationOptions) {
    this.#options = options
    this.stream = new StreamWatch(options.clock)
    const isAskedFor = options.settings.expose_metrics || options.health.port !== undefined
    this.timings = new HookTimings(options.clock, isAskedFor)
    const { settings, logger, redactor } = options
    this.tracing = new Tracing({ settings, logger, clean: (text) => redactor.clean(text) })
    this.#startedMs = options.clock.monotonic()
  }

  get addresses(): EndpointAddresses {
    return this.#addresses
  }

  /** @throws StreamConnectorError `SETTINGS_INVALID` when a port cannot be had. */
  async open(): Promise<void> {
    const { logger } = this.#options
    const health = this.#healthService()
    const metrics = this.#metricsService()
    const services = [health, metrics].filter((service) => service !== undefined)
    const groups =
      health !== undefined && metrics !== undefined && canShare(health, metrics)
        ? [[health, metrics]]
        : services.map((service) => [service])
    const onError = (error: unknown) =>
      logger.error('The connector cannot be asked how it does', { error: describeError(error) })
    this.#endpoints = groups.map((group) => new HttpEndpoint(group, onError))
    for (const [index, endpoint] of this.#endpoints.entries()) {
      await endpoint.open()
      for (const service of groups[index]!) {
        const address = endpoint.addressOf(service)
        this.#addresses = { ...this.#addresses, [service === health ? 'health' : 'metrics']: address }
      }
    }
    if (services.length > 0) logger.info('The connector can be asked how it does', { ...this.#addresses })
  }

  /** Safe to call twice, and before {@link open}. */
  async close(): Promise<void> {
    this.tracing.close()
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()))
    this.#addresses = {}
  }

  #healthService(): HttpService | undefined {
    const { port, host } = this.#options.health
    if (port === undefined) return undefined
    return {
      setting: 'CONNECTOR_HEALTH_PORT',
      host,
      port,
      routes: new Map([
        ['/healthz', () => this.#json(200, { status: 'alive' })],
        ['/readyz', () => this.#ready()],
        ['/status', () => this.#json(200, this.#status())],
      ]),
    }
  }

  #metricsService(): HttpService | undefined {
    const { settings, facts, redactor } = this.#options
    if (!settings.expose_metrics) return undefined
    const metrics = new Metrics({
      namespace: settings.metrics_namespace,
      subsystem: settings.metrics_subsystem,
      facts,
      timings: this.timings,
      clean: (text) => redactor.clean(text),
    })
    const answer = async (): Promise<HttpAnswer> => {
      const body = await metrics.text()
      return { status: 200, contentType: metrics.contentType, body }
    }
    return {
      setting: 'CONNECTOR_METRICS_PORT',
      host: settings.metrics_host,
      port: settings.metrics_port,
      routes: new Map([['/metrics', answer]]),
    }
  }

  #ready(): HttpAnswer {
    const reasons = readiness(this.#options.facts())
    return this.#json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons })
  }

  #status(): Record<string, unknown> {
    const { facts, status, settings, clock } = this.#options
    const observed = facts()
    const reasons = readiness(observed)
    const { stream } = observed
    return {
      id: settings.id,
      name: settings.name,
      ready: reasons.length === 0,
      reasons,
      uptimeMs: Math.round(clock.monotonic() - this.#startedMs),
      ...status(),
      stream: {
        connected: stream.isConnected,
        heldBack: stream.isHeldBack,
        forMs: Math.round(stream.forMs),
        reconnects: Object.fromEntries(stream.reconnects),
        problem: stream.problem,
      },
      failingForMs: Math.round(observed.failingForMs),
      queue: observed.queue(),
      behindHeadMs: Math.round(observed.behindHeadMs),
      oldestUnfinishedMs: Math.round(observed.oldestUnfinishedMs),
      checkpointAgeMs: Math.round(observed.checkpointAgeMs),
      pings: observed.pings,
      hooks: Object.fromEntries(
        [...this.timings.figures].map(([hook, figures]) => [hook, summaryOf(figures)]),
      ),
    }
  }

  #json(status: number, value: Readonly<Record<string, unknown>>): HttpAnswer {
    const body = `${JSON.stringify(scrubbed(value, this.#options.redactor))}\n`
    return { status, contentType: 'application/json; charset=utf-8', body }
  }
}

/** Quantiles are the upper bounds of where they lie. */
function summaryOf({ ok, error }: HookFigures): Record<string, number | null> {
  const quantile = (share: number) => {
    const bound = ok.quantile(share)
    return Number.isFinite(bound) ? bound : null
  }
  return { ok: ok.count, errors: error.count, p50Seconds: quantile(0.5), p95Seconds: quantile(0.95) }
}
