import { expect, test } from 'vitest'
import { proxyFor } from '../../src/network/proxy-for.ts'
import { Secret } from '../../src/util/secret.ts'

const http_proxy = new Secret('http://plain:3128')
const https_proxy = new Secret('http://secure:3128')

test('each scheme has its own proxy, and neither replaces the other', () => {
  expect(proxyFor(new URL('http://siem'), { http_proxy, https_proxy, no_proxy: [] })).toBe(http_proxy)
  expect(proxyFor(new URL('https://siem'), { http_proxy, https_proxy, no_proxy: [] })).toBe(https_proxy)
  expect(proxyFor(new URL('https://siem'), { http_proxy, no_proxy: [] })).toBeUndefined()
})

test.each([
  ['https://a.example.com', 'example.com', true],
  ['https://a.example.com', '.example.com', true],
  ['https://example.com', '.example.com', true],
  ['https://a.example.com', '*.example.com', true],
  ['https://A.Example.com.', 'a.EXAMPLE.com', true],
  ['https://badexample.com', 'example.com', false],
  ['https://example.com', 'a.example.com', false],
  ['https://example.com:8443', 'example.com:8443', true],
  ['https://example.com', 'example.com:8443', false],
  ['https://example.com', 'example.com:443', true],
  ['http://host', '', false],
  ['http://host', '*', true],
  ['http://host', '*:80', true],
  ['http://host', '*:81', false],
  ['http://host', 'other host', true],
  ['http://host', '/8', false],
  ['http://10.0.0.1', '10.0.0.1', true],
  ['http://10.0.0.1', '10.0.0.1:80', true],
  ['http://10.0.0.1:81', '10.0.0.1:80', false],
  ['http://10.0.0.1', '0.0.1', false],
  ['http://10.0.0.11', '10.0.0.1', false],
  ['http://10.20.30.40', '10.0.0.0/8', true],
  ['http://10.20.30.40', '10.99.0.0/8', true],
  ['http://11.20.30.40', '10.0.0.0/8', false],
  ['http://172.31.255.255', '172.16.0.0/12', true],
  ['http://172.32.0.0', '172.16.0.0/12', false],
  ['http://192.168.1.7:9200', '192.168.1.0/24:9200', true],
  ['http://192.168.1.7:9201', '192.168.1.0/24:9200', false],
  ['http://192.168.1.7', '0.0.0.0/0', true],
  ['http://192.168.1.7', '192.168.1.0/33', false],
  ['http://192.168.1.7', 'fd00::/8', false],
  ['http://host', '0.0.0.0/0', false],
  ['http://10.example.com', '10.0.0.0/8', false],
  ['http://a.example.com', 'example.com/8', false],
  ['http://[::1]:80', '::1', true],
  ['http://[::1]', '[::1]:80', true],
  ['http://[::1]', '[::1]:81', false],
  ['http://[2001:db8::1]', '2001:0DB8:0:0:0:0:0:1', true],
  ['http://[2001:db8:1::1]', '2001:db8::/32', true],
  ['http://[2001:db8:1::1]', '[2001:db8::]/32', true],
  ['http://[2001:db8:1::1]:81', '[2001:db8::]/32:80', false],
  ['http://[2001:db9::1]', '2001:db8::/32', false],
  ['http://[fd12::1]', 'fd00::/8', true],
  ['http://[fd12::1]', '10.0.0.0/8', false],
  ['http://[fd12::1]', 'fd00::/129', false],
])('%s with NO_PROXY %s goes without a proxy: %s', (url, entry, isExempt) => {
  const proxy = proxyFor(new URL(url), { http_proxy, https_proxy, no_proxy: ['unrelated.example', entry] })
  expect(proxy === undefined).toBe(isExempt)
})
