import * as fc from 'fast-check'
import { formatList, itemKey, rpzName } from 'opencti-stream-connector'
import { expect, test } from 'vitest'

const zone = 'rpz.example'

test('names a value as a policy zone does', () => {
  expect(rpzName('domain-name:evil.example', zone)).toEqual({ name: 'evil.example' })
  expect(rpzName('evil.example', zone)).toEqual({ name: 'evil.example' })
  expect(rpzName('ipv4-addr:203.0.113.0/24', zone)).toEqual({ name: '24.0.113.0.203.rpz-ip' })
  expect(rpzName('ipv6-addr:2001:db8::1', zone)).toEqual({ name: '128.1.zz.db8.2001.rpz-ip' })
})

test.each([
  ['url:http://evil.example/', /a value of kind url is not a domain/],
  ['domain-name:com', /single label/],
  ['domain-name:32.8.8.8.8.rpz-ip', /special meaning/],
  ['ipv4-addr:0.0.0.0/0', /covers all addresses/],
  [`domain-name:${Array.from({ length: 25 }, () => 'a'.repeat(9)).join('.')}`, /longer than 253 characters/],
])('says why the zone cannot hold %s', (key, reason) => {
  expect(rpzName(key, zone).reason).toMatch(reason)
})

test('refuses a zone without a name', () => {
  expect(() => rpzName('evil.example', 'no zone')).toThrow('must be the name of a zone')
})

test('agrees with a list of the whole zone, whatever the value', async () => {
  const label = fc.stringMatching(/^[a-z0-9-]{1,63}$/)
  const text = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.')),
    fc.ipV4Extended(),
    fc.ipV6(),
    fc.tuple(fc.ipV6(), fc.nat(128)).map(([address, bits]) => `${address}/${bits}`),
    fc.domain(),
  )
  const kind = fc.constantFrom('domain-name', 'ipv4-addr', 'ipv6-addr', 'url', 'user-agent')
  await fc.assert(
    fc.asyncProperty(kind, text, async (kind, text) => {
      const key = itemKey(kind, text) ?? text
      const { name, reason } = rpzName(key, zone)
      const list = formatList([{ key }], { format: 'rpz', zone, serial: 1 })
      let lines = ''
      for await (const piece of list) lines += piece
      expect(list.leftOut.examples[0]?.reason).toBe(reason)
      if (name !== undefined) expect(lines).toContain(`\n${name} CNAME .\n`)
    }),
  )
})
