import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { buildIndicator, openCtiPropertiesOf } from 'opencti-stream-connector/testing'
import { startSiem } from '../../../examples/siem/server.ts'
import { type FaultyFront } from './faulty-front.ts'
import { killCount, stormProgram } from './program.ts'

/** The first connector in the README, byte for byte, as a program. */
async function readmeProgram(): Promise<string> {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8')
  const [, connector] = /## A connector\n+```ts\n(.*?)```/s.exec(readme)!
  return `${connector}\nawait SiemConnector.run()\n`
}

interface Variant {
  readonly title: string
  /** Changes the program. */
  readonly change?: (program: string) => string
  readonly environment?: (front: FaultyFront, platformUrl: string) => Record<string, string>
  readonly check: (front: FaultyFront) => void
}

const variants: readonly Variant[] = [
  {
    title: 'as it stands, through a proxy',
    environment: (front, platformUrl) => ({
      HTTP_PROXY: front.origin,
      NO_PROXY: new URL(platformUrl).host,
    }),
    check: (front) => expect(front.proxied).toBeGreaterThan(0),
  },
  {
    title: 'with OAuth, whose tokens are revoked',
    change: (program) =>
      program.replace(
        'token: this.settings.my_siem.api_key }',
        "client_id: 'c', client_secret: this.settings.my_siem.api_key, token_url: new URL('/token', this.settings.my_siem.api_base_url).href }",
      ),
    check: (front) => expect(front.revoked).toBeGreaterThan(0),
  },
]

test.each(variants)(
  `the connector of the README, $title, leaves the SIEM like the platform after ${killCount} kills, a lost state, a brown-out, 429 and an outage`,
  { timeout: 120_000 + killCount * 10_000 },
  async ({ change, environment, check }) => {
    const siem = await startSiem()
    await stormProgram({
      target: siem,
      key: siem.apiKey,
      async program(folder) {
        const written = await readmeProgram()
        const program = change === undefined ? written : change(written)
        if (change !== undefined) expect(program).not.toBe(written)
        const file = join(folder, 'connector.ts')
        await writeFile(file, program)
        return file
      },
      environment: (front, platformUrl) => ({
        MY_SIEM_API_BASE_URL: front.url,
        MY_SIEM_API_KEY: siem.apiKey,
        ...environment?.(front, platformUrl),
      }),
      build: (number, texts) => buildIndicator('ipv6', { seed: 1000 + number, ...texts }),
      expected: (entity, isGone) =>
        isGone ? undefined : `${openCtiPropertiesOf(entity).id} ${String(entity['name'])}`,
      actual: () => [...siem.entries().values()].map((entry) => `${entry.opencti_id} ${entry.name}`),
      async disturb() {
        await siem.goDown()
        await sleep(100)
        await siem.comeBack()
      },
      check,
    })
  },
)
