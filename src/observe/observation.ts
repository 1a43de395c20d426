import { describeError } from '../errors/verdict.ts'
import { type ServedLists } from '../lists/served-lists.ts'
import { type ConnectorSettings } from '../settings/schemas/connector-settings.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type Redactor } from '../util/redactor.ts'
import { HookTimings, type PresentCall } from './facts/hook-timings.ts'
import { canShare, type HttpAnswer, HttpEndpoint, type HttpService } from './http/http-endpoint.ts'
import { listFolder } from './http/list-route.ts'
import { OwnMetrics } from './metrics/own-metrics.ts'
import { prefixOf } from './metrics/prefix-of.ts'
import { type ObservedFacts } from './facts/observed-facts.ts'
import { readiness } from './facts/readiness.ts'
import { RecentErrors } from './status/recent-errors.ts'
import { RecentLatency } from './status/recent-latency.ts'
import { scrubbed } from './log/scrub.ts'
import { statusPage } from './status/page/status-page.ts'
import {
  type StatusDetails,
  type StatusReport,
  statusReport,
  type StatusSources,
} from './status/status-report.ts'
import { StreamWatch } from './facts/stream-watch.ts'
import { Tracing } from './tracing/tracing.ts'
import { sampleEveryMs, Throughput } from './status/throughput.ts'

const samplesPerMinute = 60_000 / sampleEveryMs

/** Addresses of the HTTP endpoints. Undefined if not served. */
export interface EndpointAddresses {
  /** `/` (for people), `/healthz`, `/readyz`, `/status`, and, if lists are served, `/lists/<name>`. */
  readonly health?: string | undefined
  /** `/metrics`. */
  readonly metrics?: string | undefined
}

/** Collects everything observable about a connector, and serves it while the connector runs. */
export class Observation {
  readonly stream: StreamWatch
  readonly timings: HookTimings
  readonly tracing: Tracing
  readonly errors: RecentErrors
  /** The author's metrics. */
  readonly own: OwnMetrics
  readonly #latency: RecentLatency
  readonly #throughput: Throughput
  readonly #options: ObservationOptions
  readonly #startedMs: number
  #endpoints: readonly HttpEndpoint[] = []
  #addresses: EndpointAddresses = {}

  constructor(options: ObservationOptions) {
    this.#options = options
    this.stream = new StreamWatch(options.clock)
    const isAskedFor = options.settings.expose_metrics || options.health.port !== undefined
    this.timings = new HookTimings(options.clock, isAskedFor, options.calls)
    const { settings, logger, redactor } = options
    this.tracing = new Tracing({ settings, logger, clean: (text) => redactor.clean(text) })
    this.own = new OwnMetrics({
      prefix: prefixOf(settings.metrics_namespace, settings.metrics_subsystem),
      clean: (text) => redactor.clean(text),
    })
    this.errors = new RecentErrors(options.clock, (text) => options.redactor.clean(text))
    this.#latency = new RecentLatency(this.timings)
    let samples = 0
    this.#throughput = new Throughput(options.clock, options.facts, () => {
      if (++samples % samplesPerMinute === 0) this.#latency.note()
    })
    this.#startedMs = options.clock.monotonic()
  }

  get addresses(): EndpointAddresses {
    return this.#addresses
  }

  /** @throws StreamConnectorError `SETTINGS_INVALID` if a port is not available. */
  async open(): Promise<void> {
    const { logger } = this.#options
    const health = this.#healthService()
    const metrics = await this.#metricsService()
    const services = [health, metrics].filter((service) => service !== undefined)
    const groups =
      health !== undefined && metrics !== undefined && canShare(health, metrics)
        ? [[health, metrics]]
        : services.map((service) => [service])
    const onError = (error: unknown) =>
      logger.error('Health endpoint not available', { error: describeError(error) })
    this.#endpoints = groups.map((group) => new HttpEndpoint(group, onError))
    for (const [index, endpoint] of this.#endpoints.entries()) {
      await endpoint.open()
      for (const service of groups[index]!) {
        const address = endpoint.addressOf(service)
        this.#addresses = { ...this.#addresses, [service === health ? 'health' : 'metrics']: address }
      }
    }
    if (health !== undefined) this.#throughput.start()
    if (services.length > 0) logger.info('Health endpoint listening', { ...this.#addresses })
  }

  /** Safe to call twice, and before {@link open}. */
  async close(): Promise<void> {
    this.tracing.close()
    this.#throughput.stop()
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()))
    await this.#options.lists?.close()
    this.#addresses = {}
  }

  #healthService(): HttpService | undefined {
    const { port, host, allowedHosts } = this.#options.health
    const names = new Set([host, ...allowedHosts].map((name) => name.toLowerCase()))
    const { lists, clock, settings } = this.#options
    const folder =
      lists === undefined
        ? undefined
        : listFolder({ lists, clock, names, host, port, token: settings.list_token })
    if (port === undefined) return undefined
    return {
      setting: 'CONNECTOR_HEALTH_PORT',
      host,
      port,
      folder,
      routes: new Map<string, () => HttpAnswer | Promise<HttpAnswer>>([
        ['/healthz', () => this.#json(200, { status: 'alive' })],
        ['/readyz', () => this.#ready()],
        ['/status', async () => this.#json(200, await this.#report())],
        ['/', async () => statusPage(await this.#report())],
      ]),
      // Probes and scrapers may use any name for a pod; pages with text are only for those who mean us.
      guarded: {
        paths: new Set(['/', '/status']),
        names,
        setting: 'CONNECTOR_HEALTH_ALLOWED_HOSTS',
      },
    }
  }

  async #metricsService(): Promise<HttpService | undefined> {
    const { settings, facts, redactor } = this.#options
    if (!settings.expose_metrics) return undefined
    // Loads the Prometheus client only if needed.
    const { Metrics } = await import('./metrics/metrics.ts')
    const metrics = new Metrics({
      namespace: settings.metrics_namespace,
      subsystem: settings.metrics_subsystem,
      facts,
      timings: this.timings,
      own: this.own,
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
    const facts = this.#options.facts()
    const reasons = readiness(facts)
    const isReady = reasons.length === 0
    // Which copies are on standby, if several share the state.
    const turn = facts.leader === undefined ? {} : { state: facts.state, leader: facts.leader }
    return this.#json(isReady ? 200 : 503, { ready: isReady, reasons, ...turn })
  }

  async #report(): Promise<StatusReport> {
    const { facts, status, details, settings, clock, redactor } = this.#options
    const report = statusReport({
      id: settings.id,
      name: settings.name,
      clock,
      startedMs: this.#startedMs,
      details: await details(),
      facts: facts(),
      status: status(),
      timings: this.timings,
      latency: this.#latency,
      throughput: this.#throughput.history(),
      errors: this.errors.all,
    })
    return scrubbed(report, redactor)
  }

  #json(status: number, value: object): HttpAnswer {
    const body = `${JSON.stringify(scrubbed(value, this.#options.redactor))}\n`
    return { status, contentType: 'application/json; charset=utf-8', body }
  }
}

export interface ObservationOptions {
  readonly settings: ConnectorSettings
  readonly health: DeliveryOptions['health']
  readonly clock: Clock
  readonly logger: Logger
  readonly redactor: Redactor
  readonly facts: () => ObservedFacts
  /** The part of the current hook call that is not the target's. */
  readonly calls: PresentCall
  /** The connector's public status, which `/status` extends. */
  readonly status: () => StatusSources['status']
  /** Lists to serve on the same port as the health endpoint. */
  readonly lists?: ServedLists | undefined
  /** Details looked up on demand. */
  readonly details: () => Promise<StatusDetails>
}
