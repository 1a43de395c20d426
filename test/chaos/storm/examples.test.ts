import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { test } from 'vitest'
import {
  buildIndicator,
  buildReport,
  openCtiPropertiesOf,
  type StixObject,
} from 'opencti-stream-connector/testing'
import { startFalcon } from '../../../examples/crowdstrike/server.ts'
import { startJira } from '../../../examples/jira/server.ts'
import { startWebhookReceiver } from '../../../examples/webhook/server.ts'
import { FirewallService } from './firewall/firewall-service.ts'
import { killCount, stormProgram } from './program.ts'

const example = (name: string) => () =>
  fileURLToPath(new URL(`../../../examples/${name}/main.ts`, import.meta.url))
const timeout = 120_000 + killCount * 10_000

test(
  `the webhook receiver has what the platform has after ${killCount} kills, a lost state, a brown-out and 429`,
  { timeout },
  async () => {
    const receiver = await startWebhookReceiver()
    await stormProgram({
      target: receiver,
      program: example('webhook'),
      environment: (front) => ({
        WEBHOOK_URL: front.url,
        WEBHOOK_TOKEN: receiver.token,
        WEBHOOK_SIGNING_SECRET: receiver.signingSecret,
      }),
      build: (number, texts) => buildIndicator('ipv6', { seed: 1000 + number, ...texts }),
      expected: (entity, isGone) =>
        isGone ? undefined : `${openCtiPropertiesOf(entity).id} ${String(entity['name'])}`,
      actual: async () =>
        [...(await receiver.read())].flatMap(([id, entity]) =>
          entity.type === 'indicator' ? [`${id} ${entity.name}`] : [],
        ),
    })
  },
)

test(
  `the Jira connector has one current issue per report after ${killCount} kills, a lost state, a brown-out and 429`,
  { timeout },
  async () => {
    const jira = await startJira({ searchLagMs: 300, perSecond: 1000 })
    await stormProgram({
      target: jira,
      program: example('jira'),
      environment: (front) => ({
        JIRA_URL: front.url,
        JIRA_USERNAME: jira.username,
        JIRA_PASSWORD: jira.password,
        JIRA_PROJECT_KEY: 'SOC',
        CONNECTOR_SEARCH_LAG_MS: '500',
      }),
      build: (number, texts) => buildReport([], { seed: 1000 + number, ...texts }),
      expected: (entity, isGone) =>
        `opencti-${openCtiPropertiesOf(entity).id} ${isGone ? 'gone' : String(entity['name'])}`,
      actual: () =>
        [...jira.issues().values()].map(({ labels: [label, gone], fields }) =>
          [label, gone === undefined ? fields['summary'] : 'gone'].join(' '),
        ),
    })
  },
)

test(
  `Falcon has what the platform has after ${killCount} kills, a lost state, a brown-out, 429 and revoked tokens`,
  { timeout },
  async () => {
    const falcon = await startFalcon()
    await stormProgram({
      target: falcon,
      program: example('crowdstrike'),
      environment: (front) => ({
        CROWDSTRIKE_URL: front.url,
        CROWDSTRIKE_TOKEN_URL: `${front.origin}/oauth2/token`,
        CROWDSTRIKE_CLIENT_ID: falcon.clientId,
        CROWDSTRIKE_CLIENT_SECRET: falcon.clientSecret,
      }),
      build: (number, texts) =>
        buildIndicator('ipv4', {
          seed: 1000 + number,
          ...texts,
          pattern: `[ipv4-addr:value = '10.0.${number >> 8}.${number & 255}']`,
        }),
      expected: (entity, isGone) =>
        isGone
          ? undefined
          : `${/'(.*)'/.exec(String(entity['pattern']))![1]} ${String(entity['description'])}`,
      actual: () => [...falcon.iocs().values()].map((ioc) => `${ioc.value} ${String(ioc['description'])}`),
      disturb: () => falcon.revoke(),
    })
  },
)

/** One unique address, and one that other indicators share. */
const addressesOf = (number: number) => [`10.1.${number >> 8}.${number & 255}`, `10.2.0.${number % 7}`]
const addressPattern = (number: number) =>
  `[${addressesOf(number)
    .map((address) => `ipv4-addr:value = '${address}'`)
    .join(' OR ')}]`

const addressesIn = (entity: StixObject) =>
  [...String(entity['pattern']).matchAll(/'([^']*)'/g)].map(([, address]) => address!)

for (const [file, title] of [
  ['block-list', 'single addresses'],
  ['snapshot', 'whole lists'],
] as const)
  test(
    `a firewall that takes ${title} blocks what is claimed and nothing else after ${killCount} kills, a brown-out and 429`,
    { timeout },
    async () => {
      await stormProgram({
        target: await FirewallService.start(),
        program: () => fileURLToPath(new URL(`./firewall/${file}.ts`, import.meta.url)),
        keepsState: true,
        environment: (front) => ({
          FIREWALL_URL: front.url,
          FIREWALL_TOKEN: 'a-token-for-trying-it',
          CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS: '100',
        }),
        build: (number, texts) =>
          buildIndicator('ipv4', { seed: 1000 + number, ...texts, pattern: addressPattern(number) }),
        expected: (entity, isGone) => (isGone ? undefined : addressesIn(entity)),
        actual: (firewall) => firewall.blocked(),
      })
    },
  )

test(
  `a firewall that fetches its list finds what is claimed and nothing else after ${killCount} kills`,
  { timeout },
  async () => {
    const port = await freePort()
    await stormProgram({
      target: await FirewallService.start(),
      program: example('blocklist'),
      keepsState: true,
      environment: () => ({
        CONNECTOR_HEALTH_PORT: String(port),
        CONNECTOR_LIST_TOKEN: 'a-list-token-for-trying-it',
        CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS: '100',
      }),
      build: (number, texts) =>
        buildIndicator('ipv4', {
          seed: 1000 + number,
          ...texts,
          pattern: addressPattern(number),
          x_opencti_score: 80,
        }),
      expected: (entity, isGone) => (isGone ? undefined : addressesIn(entity)),
      actual: async () => {
        const headers = { authorization: 'Bearer a-list-token-for-trying-it' }
        // It is down while the connector starts.
        const response = await fetch(`http://127.0.0.1:${port}/lists/ipv4`, { headers }).catch(
          () => undefined,
        )
        const text = (await response?.text()) ?? ''
        return response?.ok === true ? text.split('\n').filter((line) => line !== '') : []
      },
    })
  },
)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
