import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { itemKey, type ItemKind } from '../../src/index.ts'

const kinds: readonly ItemKind[] = [
  'ipv4-addr',
  'ipv6-addr',
  'domain-name',
  'url',
  'email-addr',
  'mac-addr',
  'autonomous-system',
  'file',
  'text',
  'md5',
  'sha-256',
  'ssdeep',
  'tlsh',
  'hash-imphash',
]

test.each<[ItemKind, string, string]>([
  ['domain-name', 'Evil.Example.', 'domain-name:evil.example'],
  ['domain-name', ' evil.example\n', 'domain-name:evil.example'],
  ['domain-name', 'BÜCHER.example', 'domain-name:xn--bcher-kva.example'],
  ['domain-name', 'XN--BCHER-KVA.example', 'domain-name:xn--bcher-kva.example'],
  ['domain-name', 'evil。example', 'domain-name:evil.example'],
  ['domain-name', '_dmarc.Evil.example', 'domain-name:_dmarc.evil.example'],
  ['ipv4-addr', '203.0.113.7', 'ipv4-addr:203.0.113.7'],
  ['ipv4-addr', '203.0.113.7/32', 'ipv4-addr:203.0.113.7'],
  ['ipv4-addr', '203.0.113.7/24', 'ipv4-addr:203.0.113.0/24'],
  ['ipv4-addr', '203.0.113.7/0', 'ipv4-addr:0.0.0.0/0'],
  ['ipv6-addr', '2001:DB8:0:0:0:0:0:1', 'ipv6-addr:2001:db8::1'],
  ['ipv6-addr', '2001:db8:0:1:1:1:1:1', 'ipv6-addr:2001:db8:0:1:1:1:1:1'],
  ['ipv6-addr', '2001:0:0:1:0:0:0:1', 'ipv6-addr:2001:0:0:1::1'],
  ['ipv6-addr', '2001:db8::ff/33', 'ipv6-addr:2001:db8::/33'],
  ['ipv6-addr', '2001:db8::1/128', 'ipv6-addr:2001:db8::1'],
  ['ipv6-addr', '::ffff:203.0.113.7', 'ipv4-addr:203.0.113.7'],
  ['ipv6-addr', '::FFFF:cb00:7107/120', 'ipv4-addr:203.0.113.0/24'],
  ['ipv6-addr', '::', 'ipv6-addr:::'],
  ['md5', 'D41D8CD98F00B204E9800998ECF8427E', 'md5:d41d8cd98f00b204e9800998ecf8427e'],
  ['ssdeep', '3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C', 'ssdeep:3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C'],
  ['hash-imphash', 'F34D5F2D4577ED6D9CEEC516C1F5A744', 'hash-imphash:f34d5f2d4577ed6d9ceec516c1f5a744'],
  ['hash-cdhash', '2jmj7l5rSw0yVb/vlWAYkK/YBwk=', 'hash-cdhash:2jmj7l5rSw0yVb/vlWAYkK/YBwk='],
  ['email-addr', 'John.Doe@Evil.EXAMPLE', 'email-addr:John.Doe@evil.example'],
  ['mac-addr', 'AA-BB-CC-00-11-22', 'mac-addr:aa:bb:cc:00:11:22'],
  ['mac-addr', 'aabb.cc00.1122', 'mac-addr:aa:bb:cc:00:11:22'],
  ['url', 'HTTP://EVIL.example:80/A/../b?C=%7e#D', 'url:http://evil.example/A/../b?C=%7e#D'],
  ['url', 'https://evil.example:443', 'url:https://evil.example/'],
  ['url', 'https://user:Pw@evil.example:0443?q', 'url:https://user:Pw@evil.example/?q'],
  ['url', 'http://evil.example:8080/', 'url:http://evil.example:8080/'],
  ['url', 'http://0x7f.1/x', 'url:http://127.0.0.1/x'],
  ['url', 'http://[2001:DB8::0:1]/', 'url:http://[2001:db8::1]/'],
  ['url', 'TCP://Evil.example:4444', 'url:tcp://evil.example:4444'],
  ['autonomous-system', 'AS64496', 'autonomous-system:64496'],
  ['text', ' As it is ', 'text: As it is '],
])('the key of %s %j is %j', (kind, value, key) => expect(itemKey(kind, value)).toBe(key))

test.each<[ItemKind, string]>([
  ['domain-name', ''],
  ['domain-name', '.'],
  ['domain-name', 'evil..example'],
  ['domain-name', 'evil.example..'],
  ['domain-name', '203.0.113.7'],
  ['domain-name', '127.1'],
  ['domain-name', 'evil.0x7f'],
  ['domain-name', 'evil.example/path'],
  ['domain-name', 'evil%2eexample'],
  ['domain-name', 'ev\nil.example'],
  ['domain-name', 'evil.example\0'],
  ['domain-name', 'evil.example:80'],
  ['domain-name', '*.evil.example'],
  ['domain-name', '$ORIGIN evil.example'],
  ['domain-name', 'evil.example ; x'],
  ['domain-name', '"evil.example"'],
  ['domain-name', '\u202eevil.example'],
  ['domain-name', `${'a'.repeat(64)}.example`],
  ['domain-name', `${'a.'.repeat(127)}example`],
  ['ipv4-addr', '203.0.113.07'],
  ['ipv4-addr', '203.0.113.7/33'],
  ['ipv4-addr', '203.0.113.7/'],
  ['ipv4-addr', '203.0.113.7/024'],
  ['ipv4-addr', '::1'],
  ['ipv6-addr', '203.0.113.7'],
  ['ipv6-addr', 'fe80::1%eth0'],
  ['ipv6-addr', '2001:db8::1/129'],
  ['md5', 'd41d8cd9'],
  ['sha-256', 'z'.repeat(64)],
  ['ssdeep', '3:a\nb:c'],
  ['email-addr', '@evil.example'],
  ['email-addr', 'nobody'],
  ['email-addr', 'a\r\nb@evil.example'],
  ['mac-addr', 'aa:bb-cc:00:11:22'],
  ['url', 'evil.example/path'],
  ['url', 'http:\\\\evil.example'],
  ['url', 'http://good.example\\@evil.example/'],
  ['url', 'http://evil.example/a\nb'],
  ['url', 'http://evil.example:99999/'],
  ['url', 'http:///path'],
  ['text', ''],
  ['text', '\ud800'],
])('%s %j has no key', (kind, value) => expect(itemKey(kind, value)).toBeUndefined())

/** Text, and what resembles values. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.domain(),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.emailAddress(),
  fc.stringMatching(/^[a-fA-F0-9:./-]{0,64}$/),
  fc.stringMatching(/^https?:\/\/[ -~é]{0,40}$/),
)

test('a key is its own key', () => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), anyText, (kind, text) => {
      const key = itemKey(kind, text)
      if (key === undefined) return
      const end = key.indexOf(':')
      expect(itemKey(key.slice(0, end) as ItemKind, key.slice(end + 1))).toBe(key)
    }),
    { numRuns: 2000 },
  )
})

test('only free text has keys with a line break, a control character or a space at an end', () => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), anyText, (kind, text) => {
      const key = itemKey(kind, text)
      if (key === undefined || kind === 'text' || kind === 'file') return
      expect(key).not.toMatch(/\p{Cc}|\s$/u)
    }),
    { numRuns: 2000 },
  )
})

const anyCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((upper) =>
      [...text].map((letter, at) => (upper[at] ? letter.toUpperCase() : letter.toLowerCase())).join(''),
    )

test('all spellings of one domain, address, range or hash have one key', () => {
  const domain = fc
    .domain()
    .chain((name) => fc.tuple(fc.constant(name), anyCase(name), fc.constantFrom('', '.')))
  fc.assert(
    fc.property(domain, ([name, cased, dot]) => {
      const key = itemKey('domain-name', name)
      expect(itemKey('domain-name', `${cased}${dot}`)).toBe(key)
      expect(itemKey('url', `HTTP://${cased}${dot}:80/A`)).toBe(
        key === undefined ? undefined : `url:http://${name.toLowerCase()}/A`,
      )
    }),
  )
  const words = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(words, fc.integer({ min: 0, max: 128 }), (address, bits) => {
      const long = address.map((word) => word.toString(16).padStart(4, '0').toUpperCase()).join(':')
      const short = address.map((word) => word.toString(16)).join(':')
      expect(itemKey('ipv6-addr', `${long}/${bits}`)).toBe(itemKey('ipv6-addr', `${short}/${bits}`))
      expect(itemKey('ipv6-addr', long)).toBeDefined()
    }),
  )
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.nat(), (address, bits, noise) => {
      const key = itemKey('ipv4-addr', `${address}/${bits}`)
      const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
      const hosts = 2 ** (32 - bits)
      const other = Math.floor(number / hosts) * hosts + (noise % hosts)
      const text = [24, 16, 8, 0].map((shift) => Math.floor(other / 2 ** shift) % 256).join('.')
      expect(itemKey('ipv4-addr', `${text}/${bits}`)).toBe(key)
      expect(itemKey('ipv6-addr', `::ffff:${text}/${bits + 96}`)).toBe(key)
    }),
  )
})
