import { type RequestListener } from 'node:http'
import { type ServerOptions } from 'node:https'
import { type TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { judge } from '../../../src/errors/verdict.ts'
import { type ConnectionOptions } from '../../../src/network/dispatcher.ts'
import { createPlatformHttp } from '../../../src/opencti/http.ts'
import { unreachable } from '../../../src/opencti/unreachable.ts'
import { deliverySchema } from '../../../src/settings/schemas/delivery-schema.ts'
import { TargetClients } from '../../../src/target/target-clients.ts'
import { TargetLimits } from '../../../src/flow/target-limits.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { Redactor } from '../../../src/util/redactor.ts'
import { makeCertificates } from '../../fixtures/certificates.ts'
import { serve } from '../../fixtures/loopback.ts'

const { ca, server, expired, early, elsewhere, client, passphrase, selfSigned } = makeCertificates()
const own = { ca, ...client, passphrase }
const stranger = { ca, ...selfSigned }
/** Of a server that lets in nobody whom it does not know. */
const closed = { ...server, ca, requestCert: true, rejectUnauthorized: true }

type Way = Omit<ConnectionOptions, 'proxy'>

const token = '5e57c739-391a-4eb3-b6be-7d15ca92d5ed'

/** The clients of the target, whose settings trust what `ca` says. */
function targets(trusted?: string) {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  return new TargetClients({
    limits: new TargetLimits(deliverySchema.parse({}), systemClock),
    clock: systemClock,
    settings: { no_proxy: [], https_ca_certificates: trusted },
    redactor: new Redactor(),
    stopped: stop.signal,
  })
}

const clients: Readonly<Record<string, (url: string, way: Way) => Promise<string>>> = {
  'the client of the platform': (url, way) =>
    createPlatformHttp({ token, url, ...way })
      .get(url)
      .text(),
  'this.targetHttp': (url, { verify, ca: ssl_ca, cert, key, passphrase: opens }) =>
    targets()
      .of(
        { url, token, ssl_verify: verify, ssl_ca, ssl_cert: cert, ssl_key: key, ssl_passphrase: opens },
        undefined,
      )
      .get('')
      .text(),
  'this.http': (url, way) =>
    targets(way.ca)
      .plain(undefined)
      .get(url, { headers: { authorization: `Bearer ${token}` } })
      .text(),
}

const unknownAuthority = /^UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)$/
/** TLS 1.3 rejects a client certificate after the handshake, which can look like a closed connection. */
const notLetIn = /^(ERR_SSL_\w+|ECONNRESET|EPIPE|UND_ERR_SOCKET)$/

/** The server's certificate, the client's options, and the accepted client or the code of the refusal. */
const table: readonly (readonly [string, ServerOptions, Way, string | RegExp])[] = [
  ['an authority that is trusted', server, { ca }, 'nobody'],
  ['an authority that nobody knows', server, {}, unknownAuthority],
  ['an authority that is not the trusted one', server, { ca: selfSigned.cert }, unknownAuthority],
  ['a certificate signed by itself', selfSigned, {}, /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
  [
    'a certificate signed by itself, beside another authority',
    selfSigned,
    { ca },
    /^DEPTH_ZERO_SELF_SIGNED_CERT$/,
  ],
  ['a certificate signed by itself that is trusted', selfSigned, { ca: selfSigned.cert }, 'nobody'],
  ['an expired certificate', expired, { ca }, /^CERT_HAS_EXPIRED$/],
  ['a certificate whose time has not come', early, { ca }, /^CERT_NOT_YET_VALID$/],
  ['the certificate of another host', elsewhere, { ca }, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
  ['a certificate signed by itself, unchecked', selfSigned, { verify: false }, 'nobody'],
  ['an expired certificate, unchecked', expired, { verify: false }, 'nobody'],
  ['the certificate of another host, unchecked', elsewhere, { verify: false }, 'nobody'],
  ['that it wants a client certificate, which it gets', closed, own, 'client'],
  ['that it wants a client certificate, which there is not', closed, { ca }, notLetIn],
  ['that it wants a client certificate, and gets that of a stranger', closed, stranger, notLetIn],
]

/** Client certificates and unchecked ones are settings of the platform and of `targetHttp`. */
const canBeAsked = (kind: string, { verify, cert }: Way) =>
  kind !== 'this.http' || (verify === undefined && cert === undefined)

describe.each(Object.keys(clients))('a server that %s calls', (kind) => {
  test.each(table.filter(([, , way]) => canBeAsked(kind, way)))(
    'and that shows %s gets the request, or nothing at all',
    async (_, shown, way, expected) => {
      const heard: string[] = []
      const answer: RequestListener = (request, response) => {
        heard.push(request.headers.authorization ?? '')
        response.end((request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'nobody')
      }
      const url = await serve(answer, shown)
      const outcome = await clients[kind]!(url, way).catch((error: unknown) => error)
      if (typeof expected === 'string') {
        expect(outcome).toBe(expected)
        expect(heard).toEqual([`Bearer ${token}`])
        return
      }
      expect(heard).toEqual([])
      // The target counts as down until a person fixes it; no event is lost.
      const verdict = judge(outcome, true, 0)
      expect(verdict).toMatchObject({ kind: 'retry', ofTarget: true })
      expect(verdict.facts.code).toMatch(expected)
      const isPlatform = kind === 'the client of the platform'
      const told = isPlatform ? inspect(unreachable(outcome), { depth: 10 }) : verdict.reason
      expect(told).not.toContain(token)
      if (isPlatform) expect(told).toMatch(/The OpenCTI platform cannot be reached: .+ \([A-Z0-9_]+\)\./)
    },
  )

  test('and that speaks plain text instead of TLS gets nothing', async () => {
    const heard: string[] = []
    const url = await serve((request, response) => response.end(heard.push(request.url ?? '')))
    const outcome = await clients[kind]!(url.replace('http:', 'https:'), { ca }).catch(
      (error: unknown) => error,
    )
    expect(judge(outcome, true, 0)).toMatchObject({ kind: 'retry', ofTarget: true })
    expect(heard).toEqual([])
  })
})

test('reports unusable TLS material as a wrong setting, without the passphrase or key', async () => {
  const url = await serve(() => expect.unreachable(), server)
  const wrong = { ...own, passphrase: 'wrong words' }
  for (const [kind, ask] of Object.entries(clients)) {
    if (!canBeAsked(kind, wrong)) continue
    const error: unknown = await ask(url, wrong).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringMatching(
        /passphrase is correct.*(OPENCTI_SSL_CA|HTTPS_CA_CERTIFICATES)/,
      ) as string,
    })
    expect(inspect(error, { depth: 10 })).not.toMatch(/wrong words|PRIVATE KEY/)
  }
})
