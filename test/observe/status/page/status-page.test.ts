import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nameOf, PermanentError, SkipEvent, systemClock } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { beforeAll, afterAll, expect, onTestFinished, test } from 'vitest'
import { caughtUp, startSimulator } from '../../../fixtures/stage.ts'
import { until } from '../../../fixtures/until.ts'
import { skipWords } from '../../../../src/observe/status/page/skip-words.ts'
import { statusPage } from '../../../../src/observe/status/page/status-page.ts'
import { type StatusReport } from '../../../../src/observe/status/status-report.ts'
import { ask } from '../../../fixtures/ask.ts'
import { Chromium, chromiumPath } from '../../browser/chromium.ts'
import { contrasts } from '../../browser/contrasts.ts'
import { makeObserved } from '../../../fixtures/make-observed.ts'

const isRequired = process.env['BROWSER_TESTS'] === 'required'
const hasBrowser = chromiumPath !== undefined || isRequired
if (!hasBrowser)
  console.warn('There is no chromium on this machine: the status page is not tried in a browser.')
const inBrowser = test.skipIf(!hasBrowser)

let chromium: Chromium
beforeAll(async () => {
  if (hasBrowser) chromium = await Chromium.launch(['attacker.example'])
}, 60_000)
afterAll(() => chromium?.[Symbol.asyncDispose]())

const image = '<img src=x onerror="window.hacked=1">'
const hostile = `${image}</script><script>window.hacked=1</script>"'&`

/** A connector that is started, with the address of its page. */
async function started(env: Record<string, string> = {}) {
  const simulator = await startSimulator()
  const recorder = makeObserved(simulator, { env })
  await recorder.start()
  const url = `${recorder.status().endpoints.health}/`
  await until('readiness', () => recorder.status().notReady.length === 0)
  await caughtUp(recorder)
  /** What had been delivered before the test did anything. */
  const { delivered } = recorder.status()
  return { simulator, recorder, url, delivered }
}

async function openPage(url: string, options?: { javaScript?: boolean }) {
  const page = await chromium.open(options)
  await page.look({ width: 1280 })
  await page.go(url)
  return page
}

test('the page allows only its own script and style, and is never cached', async () => {
  const { url } = await started()
  const { status, headers, body } = await ask(url)
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('text/html; charset=utf-8')
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-resource-policy': 'same-origin',
  })
  const policy = String(headers['content-security-policy']).split('; ')
  expect(policy).toEqual([
    "default-src 'none'",
    expect.stringMatching(/^script-src 'sha256-[A-Za-z0-9+/]{43}='$/),
    expect.stringMatching(/^style-src 'sha256-[A-Za-z0-9+/]{43}='$/),
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ])
  expect(body).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
  expect(body).not.toMatch(/\son\w+=|\sstyle=/)
})

test('the page says the same of a catch-up and of a held stream before its script runs', async () => {
  const { url } = await started()
  const report = JSON.parse((await ask(`${url}status`)).body) as StatusReport
  const fieldsOf = (changes: Partial<StatusReport>) => {
    const { body } = statusPage({ ...report, ...changes })
    const fields = [...body.matchAll(/data-field="(\w+)">([^<]*)</g)]
    return Object.fromEntries(fields.map(([, name, text]) => [name, text]))
  }
  expect(fieldsOf({})).toMatchObject({ lagMore: 'behind the newest event', stream: 'connected' })
  expect(fieldsOf({ catchingUp: true })).toMatchObject({ lag: '–', lagMore: 'unknown while catching up' })
  const stream = { ...report.stream, connected: false }
  expect(fieldsOf({ stream })).toMatchObject({ stream: 'not connected' })
  expect(fieldsOf({ stream: { ...stream, heldBack: true } })).toMatchObject({ stream: 'held back' })
})

test('the headline says "catching up" until the catch-up has reached the target', async () => {
  const simulator = await startSimulator()
  for (let seed = 1; seed <= 20; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  // Not the fast clock: after a minute of it the hooks would count as hanging.
  const recorder = makeObserved(simulator, { clock: systemClock })
  const goOn = Promise.withResolvers<void>()
  onTestFinished(() => goOn.resolve())
  recorder.onCall = ({ entity }) => (entity?.type === 'indicator' ? goOn.promise : undefined)
  await recorder.start()
  await until('all of it', () => !recorder.status().catchingUp && recorder.status().inFlight >= 20)
  const url = `${recorder.status().endpoints.health}/`
  const { headline } = JSON.parse((await ask(`${url}status`)).body) as StatusReport
  expect(headline).toMatchObject({
    state: 'catching up',
    reason: expect.stringContaining('in flight to the target'),
  })
  expect((await ask(url)).body).toContain('unknown while catching up')
  goOn.resolve()
  await until('the end of it', async () => {
    const report = JSON.parse((await ask(`${url}status`)).body) as StatusReport
    return report.headline.state === 'well' && report.inFlight === 0
  })
})

test('page and status only answer under our own names, and probes and scrapers under any', async () => {
  const { recorder, url } = await started({ CONNECTOR_HEALTH_ALLOWED_HOSTS: 'soc.example.org' })
  const { health, metrics } = recorder.status().endpoints
  const at = async (address: string, host: string) => (await ask(address, { headers: { host } })).status
  for (const address of [url, `${health}/status`]) {
    expect(await at(address, 'attacker.example')).toBe(403)
    expect(await at(address, 'localhost:1234')).toBe(200)
    expect(await at(address, '10.42.0.17:9096')).toBe(200)
    expect(await at(address, 'SOC.example.org')).toBe(200)
  }
  for (const address of [`${health}/healthz`, `${health}/readyz`, `${metrics}/metrics`])
    expect(await at(address, 'siem-connector.soc.svc')).toBe(200)
})

test('the status lists the longest waits, the last errors and the newest dead letters', async () => {
  const { simulator, recorder, url } = await started()
  const goOn = Promise.withResolvers<void>()
  onTestFinished(() => goOn.resolve())
  const [slow, bad] = [buildIndicator('ipv4', { seed: 1 }), buildIndicator('ipv4', { seed: 2 })]
  recorder.onCall = ({ entityId }) => {
    if (entityId === slow.id) return goOn.promise
    if (entityId === bad.id) throw new PermanentError('this one is refused')
    throw new SkipEvent('not wanted')
  }
  simulator.create(slow)
  simulator.create(bad)
  simulator.create(buildIndicator('ipv4', { seed: 3 }))
  const look = async () => JSON.parse((await ask(`${url}status`)).body)
  const status = await until('the dead letter', async () => {
    const report = await look()
    const isDone =
      report.skippedByReason['not wanted'] === 1 &&
      report.newestDeadLetters.length === 1 &&
      report.throughput.received.length > 2
    return isDone ? report : undefined
  })
  expect(status.headline).toMatchObject({ state: 'well', tone: 'good' })
  expect(status.oldestWaiting).toMatchObject({
    entityId: slow.id,
    entityType: 'indicator',
    kind: 'create',
    attempts: 1,
    lastFailure: '',
  })
  expect(status.newestDeadLetters).toMatchObject([
    { entityId: bad.id, eventType: 'create', error: 'this one is refused' },
  ])
  expect(status.lastErrors).toMatchObject([
    { what: 'dead letter', text: 'this one is refused', entityId: bad.id, count: 1 },
  ])
  expect(status.throughput.received.reduce((sum: number, count: number) => sum + count, 0)).toBeGreaterThan(0)
  expect(status.hooks.create.recent).toMatchObject({ errors: 2 })
  const { waitingMs } = status.oldestWaiting
  await until('more waiting', async () => (await look()).oldestWaiting.waitingMs > waitingMs)
  goOn.resolve()
  await until('the end of it', async () => (await look()).oldestWaiting === null)
})

inBrowser('the page follows the connector: numbers, an outage, and a connector that is gone', async () => {
  const { simulator, recorder, url, delivered } = await started()
  const page = await openPage(url)
  expect(await page.field('state')).toMatch(/^well$/i)
  for (let seed = 1; seed <= 20; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  await until('the numbers', async () => (await page.field('delivered')) === String(delivered + 20))
  const { received, skipped } = recorder.status()
  expect(await page.field('received')).toBe(String(received))
  expect(await page.field('balance')).toBe(
    `✓ ${delivered + 20} + ${skipped} + 0 + 0 = ${received}: every event received is in one of these.`,
  )
  await until('the plot', () => page.evaluate(`document.querySelector('#plot .a-delivered') !== null`))
  // Of the last five minutes, which are some seconds on this clock: how many are left depends on the machine.
  expect(await page.text('[data-list=hooks]')).toMatch(/transform\s+\d+\s+0\s/)

  recorder.onCall = () => {
    throw Object.assign(new Error('The SIEM answered 503'), { status: 503 })
  }
  for (let seed = 21; seed <= 40; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  await until('the outage', async () => (await page.field('state')).toLowerCase() === 'paused: target down')
  expect(await page.field('reason')).toContain('The SIEM answered 503')
  expect(await page.evaluate('document.title')).toMatch(/^paused: target down · /)
  expect(await page.text('[data-list=oldest]')).toContain('The SIEM answered 503')
  expect(await page.text('[data-list=errors]')).toContain('target down')
  expect(await page.field('inFlight')).toBe('20')
  const lagSeconds = async () => Number.parseFloat(await page.field('lag'))
  await until('the lag', async () => (await lagSeconds()) >= 1)
  const lagBefore = await lagSeconds()
  await until('more of it', async () => (await lagSeconds()) > lagBefore)

  recorder.onCall = undefined
  await until('the end of the outage', async () => (await page.field('state')).toLowerCase() === 'well')
  await until('the rest', async () => (await page.field('delivered')) === String(delivered + 40))
  await until('the end of the lag', async () => (await page.field('lag')) === '0 s')

  expect(page.problems).toEqual([])
  expect(new Set(page.requests)).toEqual(new Set([url, `${url}status`]))

  await recorder.stop()
  await until(
    'that nobody answers',
    async () => (await page.field('state')).toLowerCase() === 'no answer',
    20_000,
  )
  expect(await page.field('reason')).toContain('has not answered since')
})

inBrowser('what others have named shows as text and does not run', async () => {
  const { simulator, recorder, url } = await started({ CONNECTOR_NAME: hostile })
  const goOn = Promise.withResolvers<void>()
  onTestFinished(() => goOn.resolve())
  recorder.onCall = ({ entity }) => {
    if (nameOf(entity) === 'skip') throw new SkipEvent(hostile)
    if (nameOf(entity) === 'wait') return goOn.promise
    throw new PermanentError(`refused: ${hostile}`)
  }
  simulator.create(buildIndicator('ipv4', { seed: 1, name: 'skip' }))
  simulator.create(buildIndicator('ipv4', { seed: 2, name: 'refuse' }))
  void recorder.processMessage({
    event: 'create',
    data: { ...buildIndicator('ipv4', { seed: 3, name: 'wait' }), id: hostile },
  })
  await until('all of it', () => recorder.status().deadLettered === 1 && recorder.status().skipped > 0)
  const page = await openPage(url)
  await until('the lists', async () => (await page.text('[data-list=letters]')).includes('refused'))
  expect(await page.field('name')).toBe(hostile)
  for (const list of ['skips', 'letters', 'errors', 'oldest'])
    expect(await page.text(`[data-list=${list}]`)).toContain(image)
  expect(await page.evaluate('document.title')).toContain(hostile)
  expect(await page.evaluate('window.hacked === undefined && document.images.length === 0')).toBe(true)
  expect(await page.evaluate('document.scripts.length')).toBe(1)
  expect(page.problems).toEqual([])
})

inBrowser('a browser refuses what the page does not need, should a mistake ever get that far', async () => {
  const { url } = await started()
  const page = await openPage(url)
  const tried = (code: string) =>
    page.evaluate(`(async () => { try { ${code}; return 'done' } catch (error) { return error.name } })()`)
  expect(await tried(`document.body.innerHTML = ${JSON.stringify(image)}`)).toBe('TypeError')
  expect(await tried(`await fetch(${JSON.stringify(url.replace('127.0.0.1', 'localhost'))})`)).toBe(
    'TypeError',
  )
  expect(await tried(`document.body.setAttribute('onclick', 'window.hacked = 1')`)).toBe('TypeError')
  await tried(`document.body.append(Object.assign(document.createElement('img'), { src: '/x.png' }))`)
  await until('the violations', () => page.problems.length > 1)
  expect(page.requests.filter((request) => !request.startsWith(url))).toEqual([])
  expect(page.requests).not.toContain(`${url}x.png`)
})

inBrowser('a name that leads to this machine is of no use to who owns it', async () => {
  const { url } = await started()
  const page = await openPage(url.replace('127.0.0.1', 'attacker.example'))
  expect(await page.text()).toContain('CONNECTOR_HEALTH_ALLOWED_HOSTS')
})

test('explains every reason for which the connector itself skips an event', async () => {
  const root = fileURLToPath(new URL('../../../../src', import.meta.url))
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const reasons = new Set([
    'already-delivered',
    'older-than-catch-up',
    'never-pushed',
    'no-route',
    'left-route',
  ])
  for (const file of files) {
    const code = readFileSync(join(root, file), 'utf8')
    for (const [, reason] of code.matchAll(/kind: 'skipped', reason: '([a-z-]+)'/g)) reasons.add(reason!)
  }
  expect(reasons.size).toBeGreaterThan(18)
  expect([...reasons].filter((reason) => !Object.hasOwn(skipWords, reason))).toEqual([])
})

inBrowser('no column is cut off where there are routes, and on a phone their state is seen', async () => {
  const { url } = await started()
  const report = JSON.parse((await ask(`${url}status`)).body) as StatusReport
  const names = ['secure-channel-of-the-soc', 'normal', 'archive_of_everything']
  const route = {
    received: 13_592_590,
    delivered: 12_345_678,
    skipped: 1_234_567,
    deadLettered: 12_345,
    inFlight: 0,
    skippedByReason: {},
    retries: 123_456,
    outage: 'The chat answered 503',
    pausedForMs: 5000,
    concurrencyLimit: 8,
  }
  const figures = { calls: 1_234_567, errors: 12_345, p50Seconds: 0.25, p95Seconds: 2.5, p99Seconds: null }
  const hook = { ok: 1, errors: 1, p50Seconds: 1, p95Seconds: 1, recent: figures }
  const crowded = {
    ...report,
    routes: Object.fromEntries(names.map((name) => [name, route])),
    hooks: Object.fromEntries(
      names.flatMap((name) => ['transform', 'create'].map((each) => [`${each}@${name}`, hook])),
    ),
  } as StatusReport
  const { body, headers } = statusPage(crowded)
  const server = createServer((request, response) => {
    if (request.url !== '/') response.end(JSON.stringify(crowded))
    else response.writeHead(200, { ...headers, 'content-type': 'text/html; charset=utf-8' }).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const page = await openPage(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  await until('the routes', async () => (await page.text('[data-list=routes]')).includes('12,345,678'))
  const hidden = (list: string) =>
    page.evaluate(`(() => {
      const { scrollWidth, clientWidth } = document.querySelector('[data-list=${list}]').closest('.scroll')
      return scrollWidth - clientWidth
    })()`)
  for (const width of [1120, 1280, 1600]) {
    await page.look({ width })
    for (const list of ['hooks', 'routes']) expect(await hidden(list), `${list} at ${width} px`).toBe(0)
  }
  await page.look({ width: 390 })
  expect(await hidden('hooks')).toBe(0)
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
  const rightOfState = await page.evaluate(
    `Math.max(...[...document.querySelectorAll('[data-list=routes] .count')].map((cell) => cell.getBoundingClientRect().right))`,
  )
  expect(rightOfState).toBeLessThan(390)
  expect(await page.text('[data-list=routes] .count')).toBe('down')
  expect(page.problems).toEqual([])
})

inBrowser('it can be read without JavaScript, at any width, in light and in dark', async () => {
  const { simulator, recorder, url, delivered } = await started()
  recorder.onCall = ({ entity }) => {
    if (nameOf(entity) === 'bad') throw new PermanentError(`refused: ${'x'.repeat(300)}`)
  }
  for (let seed = 1; seed <= 9; seed++)
    simulator.create(buildIndicator('ipv4', { seed, name: seed === 9 ? 'bad' : 'good' }))
  await until(
    'the events',
    () => recorder.status().deadLettered === 1 && recorder.status().delivered === delivered + 8,
  )
  const plain = await openPage(url, { javaScript: false })
  expect(await plain.field('state')).toMatch(/^well$/i)
  expect(await plain.field('delivered')).toBe(String(delivered + 8))
  expect(await plain.text('footer')).toContain('Without JavaScript')
  const page = await openPage(url)
  await until('the lists', async () => (await page.text('[data-list=letters]')).includes('refused'))
  for (const dark of [false, true]) {
    for (const width of [360, 800, 1600]) {
      await page.look({ width, dark })
      expect(await page.evaluate('document.documentElement.scrollWidth'), `${width} px`).toBeLessThanOrEqual(
        width,
      )
    }
    await page.look({ width: 1200, dark })
    const isWhole = `(() => {
      document.querySelectorAll('[data-list=hooks] td').forEach((cell) => (cell.textContent = '250 ms'))
      const { scrollWidth, clientWidth } = document.querySelector('[data-list=hooks]').closest('.scroll')
      return scrollWidth <= clientWidth
    })()`
    expect(await page.evaluate(isWhole), 'all columns of the hooks').toBe(true)
    const texts = await page.evaluate<[string, number][]>(contrasts)
    expect(texts.length).toBeGreaterThan(40)
    expect(texts.filter(([, ratio]) => ratio < 4.5)).toEqual([])
  }
  const landmarks = await page.evaluate(
    `['header', 'main', 'footer', 'h1', '[role=status]'].map((name) => document.querySelectorAll(name).length)`,
  )
  expect(landmarks).toEqual([1, 1, 1, 1, 1])
})
