import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  MemoryStore,
  PermanentError,
  RetryableError,
  SkipEvent,
  silentLogger,
  StreamConnector,
  type Entity,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { metricTable, histogramTable } from '../../src/observe/metrics/metric-table.ts'
import { until } from '../fixtures/until.ts'
import { hasPrometheus, RealPrometheus } from './real-prometheus.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

const folder = fileURLToPath(new URL('../../examples/monitoring/', import.meta.url))
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

interface Panel {
  readonly title: string
  readonly type: string
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
  readonly panels?: readonly Panel[]
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
}

const rules = (parse(read('alerts.yml')) as { groups: { rules: AlertRule[] }[] }).groups.flatMap(
  (group) => group.rules,
)
const dashboard = JSON.parse(read('dashboard.json')) as {
  schemaVersion: number
  uid?: unknown
  templating: { list: { name: string; type: string }[] }
  panels: Panel[]
}
const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
const graphs = panels.filter(({ type }) => type !== 'row')

describe('every alert', () => {
  test('says how severe it is, what happened, what to do, and where to read more', () => {
    const guide = readFileSync(
      fileURLToPath(new URL('../../docs/guides/operations.md', import.meta.url)),
      'utf8',
    )
    for (const { alert, labels, annotations, for: time } of rules) {
      expect(['critical', 'warning'], alert).toContain(labels['severity'])
      expect(annotations['summary'], alert).toMatch(/\$labels\.connector/)
      expect(annotations['description']!.length, alert).toBeGreaterThan(80)
      expect(time, alert).toMatch(/^\d+m$/)
      expect(annotations['runbook'], alert).toBe(`docs/guides/operations.md#${alert.toLowerCase()}`)
      expect(guide, alert).toContain(`### ${alert}\n`)
    }
  })

  test('has a test in which it fires', () => {
    const { tests } = parse(read('alerts.test.yml')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[]
    }
    const fired = tests.flatMap(({ alert_rule_test: cases }) =>
      cases.filter(({ exp_alerts: alerts }) => alerts.length > 0).map(({ alertname }) => alertname),
    )
    expect([...new Set(fired)].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
  })
})

describe('the dashboard', () => {
  test('takes its data source from a variable, and names the unit of everything', () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(41)
    expect(dashboard.uid).toBeUndefined()
    expect(dashboard.templating.list).toContainEqual(
      expect.objectContaining({ name: 'datasource', type: 'datasource' }),
    )
    for (const { title, datasource, targets, fieldConfig } of graphs) {
      expect(
        [datasource, ...targets!.map((target) => target.datasource)].map((source) => source!.uid),
        title,
      ).toEqual(Array.from({ length: targets!.length + 1 }, () => '${datasource}'))
      expect(fieldConfig!.defaults.unit, title).toBeTruthy()
    }
    const titles = graphs.map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
  })
})

test('alerts and dashboard only query metrics that a connector serves', () => {
  const served = new Set([
    ...metricTable.map(({ name }) => name),
    ...histogramTable.flatMap(({ name }) => ['_bucket', '_sum', '_count'].map((end) => name + end)),
  ])
  const asked = [
    ...rules.map(({ expr }) => expr),
    ...graphs.flatMap(({ targets }) => targets!.map(({ expr }) => expr)),
  ]
  const names = asked.flatMap((expr) => expr.match(/\b(?:opencti_stream|ping_api)_\w+/g) ?? [])
  expect(names.length).toBeGreaterThan(50)
  for (const name of names) expect(served).toContain(name)
})

/** A connector to which everything happens that the dashboard shows. */
class Eventful extends StreamConnector {
  static override readonly defaults = {
    name: 'Eventful',
    filter: { types: ['indicator'] },
    routes: { everything: {} },
    retry: { baseMs: 10, maxMs: 50 },
  }

  /** Whether its target is down. */
  isDown = false
  readonly #seen = new Set<string>()

  transform(entity: Entity): Entity {
    if (entity.id.startsWith('indicator--0') || entity.id.startsWith('indicator--1'))
      throw new SkipEvent('not wanted')
    return entity
  }

  override async create(entity: Entity): Promise<void> {
    if (this.isDown) throw new RetryableError('the target is down')
    if (this.#seen.has(entity.id)) return
    this.#seen.add(entity.id)
    // Most succeed, so that the target does not count as down.
    if (this.#seen.size % 7 === 3) throw new PermanentError('refused for good')
    if (this.#seen.size % 7 === 5) throw new RetryableError('try again')
  }
}

// In CI it must be there; its absence then fails these tests.
const isTried = hasPrometheus || process.env['PROMETHEUS_TESTS'] === 'required'
const skipped = isTried ? '' : ' (skipped: no prometheus and promtool here; apt-get install prometheus)'

describe.skipIf(!isTried)(`a real Prometheus${skipped}`, () => {
  const promtool = (...parameters: string[]) => {
    const { status, stdout, stderr } = spawnSync('promtool', parameters, { cwd: folder, encoding: 'utf8' })
    expect(stdout + stderr).toMatch(/SUCCESS/)
    expect(status, stdout + stderr).toBe(0)
  }

  test('accepts the configuration and the rules, and the rules pass their tests', () => {
    promtool('check', 'config', 'prometheus.yml')
    promtool('check', 'rules', 'alerts.yml')
    promtool('test', 'rules', 'alerts.test.yml')
  })

  test('scrapes a connector, and evaluates every alert and every dashboard query with data', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'monitoring-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const simulator = await plainSimulator({ heartbeatMs: 200 })
    const connector = new Eventful({
      env: simulator.environment({
        CONNECTOR_EXPOSE_METRICS: 'true',
        CONNECTOR_METRICS_PORT: '0',
        CONNECTOR_METRICS_HOST: '127.0.0.1',
      }),
      directory,
      store: new MemoryStore(),
      logger: silentLogger,
    })
    onTestFinished(() => connector.stop())
    await connector.start()
    const address = connector.status().endpoints.metrics!.replace('http://', '')
    const configuration = parse(read('prometheus.yml')) as {
      global: object
      rule_files: string[]
      scrape_configs: { static_configs: { targets: string[] }[] }[]
    }
    configuration.global = { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' }
    configuration.rule_files = [join(folder, 'alerts.yml')]
    configuration.scrape_configs[0]!.static_configs[0]!.targets = [address]
    writeFileSync(join(directory, 'prometheus.yml'), stringify(configuration))
    await using prometheus = await RealPrometheus.start(
      join(directory, 'prometheus.yml'),
      join(directory, 'data'),
    )

    const counted = async (metric: string) =>
      Number((await prometheus.query(`sum(${metric})`))[0]?.value[1] ?? 0)
    await until('the first scrape', async () => (await counted('up')) === 1, 20_000)
    let seed = 0
    const more = setInterval(() => {
      simulator.create(buildIndicator('domain', { seed: ++seed }))
      // More than once: Prometheus sees no increase in a series that has just begun.
      if (seed % 80 === 0) simulator.faults.cut()
    }, 20)
    onTestFinished(() => clearInterval(more))
    const happened = ['delivered', 'skipped', 'dead_letters', 'retries', 'reconnects']
    await until(
      'everything to happen',
      async () =>
        (await Promise.all(happened.map((name) => counted(`rate(opencti_stream_${name}_total[20s])`)))).every(
          (rate) => rate > 0,
        ),
      20_000,
    )

    expect(await prometheus.query('up{job="opencti-stream-connectors", connector="my-siem"}')).toHaveLength(1)
    for (const { alert, expr } of rules) {
      await expect(prometheus.query(expr), alert).resolves.toBeInstanceOf(Array)
    }
    const loaded = await until('the rules', async () => {
      const found = await prometheus.rules()
      return found.every(({ health }) => health !== 'unknown') && found
    })
    expect(loaded.map(({ name }) => name).toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
    for (const { name, health, lastError } of loaded)
      expect([name, health, lastError]).toEqual([name, 'ok', undefined])

    for (const { title, targets } of graphs) {
      for (const { expr } of targets!) {
        const query = expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '20s')
        const samples = await prometheus.query(query)
        expect(samples, `${title}: ${query}`).not.toHaveLength(0)
      }
    }
    const alerts = (name: string, state: string) =>
      prometheus.query(`ALERTS{alertname="${name}", alertstate="${state}"}`)
    expect(await alerts('OpenCtiDeadLetters', 'firing')).toHaveLength(1)
    expect(await alerts('OpenCtiTargetDown', 'pending')).toHaveLength(0)
    connector.isDown = true
    await until('the outage', async () => (await alerts('OpenCtiTargetDown', 'pending')).length === 1, 20_000)
  }, 60_000)
})
