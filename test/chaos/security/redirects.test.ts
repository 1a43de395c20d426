import { type RequestListener } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createPlatformHttp } from '../../../src/opencti/http.ts'
import { deliverySchema } from '../../../src/settings/schemas/delivery-schema.ts'
import { type TargetSettings } from '../../../src/settings/schemas/target-settings.ts'
import { TargetClients } from '../../../src/target/target-clients.ts'
import { TargetLimits } from '../../../src/flow/target-limits.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { Redactor } from '../../../src/util/redactor.ts'
import { Secret } from '../../../src/util/secret.ts'
import { makeCertificates } from '../../fixtures/certificates.ts'
import { serve } from '../../fixtures/loopback.ts'

const { ca, server } = makeCertificates()

/** A server that must receive nothing, over http and https. */
async function strangers() {
  const heard: string[] = []
  const listen: RequestListener = (request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`)
    response.end('{}')
  }
  return { heard, http: await serve(listen), https: await serve(listen, server) }
}

const clientsOf = () => {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  return new TargetClients({
    limits: new TargetLimits(deliverySchema.parse({}), systemClock),
    clock: systemClock,
    settings: { no_proxy: [] },
    redactor: new Redactor(),
    stopped: stop.signal,
  })
}

const statuses = [301, 302, 303, 307, 308]

describe.each(['http', 'https'] as const)('a redirect from https to %s elsewhere', (scheme) => {
  const redirecting = (status: number, location: string) =>
    serve((_, response) => void response.writeHead(status, { location: `${location}/there` }).end(), server)

  test.each(statuses)("never takes the platform's token along with status %i", async (status) => {
    const { heard, ...elsewhere } = await strangers()
    const http = createPlatformHttp({ token: 'the-token', ca })
    const url = await redirecting(status, elsewhere[scheme])
    for (const call of [http.get(url), http.post(url, { json: {} })]) await call.catch(() => undefined)
    expect(heard).toEqual([])
  })

  test.each<[string, Partial<TargetSettings>]>([
    ['token', { token: new Secret('the-target-token') }],
    ['password', { username: 'name', password: 'the-password' }],
  ])('never takes the %s of a target along, with any status', async (_, credentials) => {
    const { heard, ...elsewhere } = await strangers()
    for (const status of statuses) {
      const url = await redirecting(status, elsewhere[scheme])
      const http = clientsOf().of({ url, ssl_ca: ca, ...credentials }, undefined)
      for (const method of ['get', 'post', 'delete'] as const)
        await http[method]('items', { retry: 0 }).then(
          () => expect.unreachable(),
          () => undefined,
        )
    }
    expect(heard).toEqual([])
  })

  test.each(statuses)('never takes the OAuth client secret along with status %i', async (status) => {
    const { heard, ...elsewhere } = await strangers()
    const url = await redirecting(status, elsewhere[scheme])
    const http = clientsOf().of(
      {
        url,
        ssl_ca: ca,
        client_id: 'id',
        client_secret: new Secret('s3cr3t-of-oauth'),
        token_url: `${url}/token`,
      },
      undefined,
    )
    await http.get('items', { retry: 0 }).then(
      () => expect.unreachable(),
      (error: unknown) => expect(String(error)).not.toContain('s3cr3t-of-oauth'),
    )
    expect(heard).toEqual([])
  })
})
