import { BlockList, isIP } from 'node:net'
import { type Secret } from '../util/secret.ts'

/** Which proxies there are, as the section `opencti` of the settings has them. */
export interface Proxies {
  /** Proxy for http addresses. */
  readonly http_proxy?: Secret | undefined
  /** Proxy for https addresses. */
  readonly https_proxy?: Secret | undefined
  /**
   * What is reached without a proxy: `*`, a host or a domain with everything below it (`example.com`, `.example.com`,
   * `*.example.com`), an IP address, or a range of them (`10.0.0.0/8`, `fd00::/8`). Each can end in a port.
   */
  readonly no_proxy: readonly string[]
}

/**
 * The proxy through which `url` is reached; `undefined` for none. The same choice as in Python's `requests`, which
 * knows ranges of addresses; undici's `EnvHttpProxyAgent` knows neither these nor the dot that ends a full name, takes an IPv6
 * address only in brackets, sends https through the proxy for http when there is no other, and reads the environment behind the
 * settings.
 */
export function proxyFor(url: URL, { http_proxy, https_proxy, no_proxy }: Proxies): Secret | undefined {
  const proxy = url.protocol === 'https:' ? https_proxy : http_proxy
  return proxy === undefined || isExempt(url, no_proxy) ? undefined : proxy
}

/** Address or name with an optional length of a prefix and an optional port; an IPv6 address has more than one colon. */
const form = /^(?:\[([^\]]+)\]|([^/:]*:[^/]*:[^/]*|[^/:]*))(?:\/(\d{1,3}))?(?::(\d+))?$/

function isExempt(url: URL, noProxy: readonly string[]): boolean {
  const host = bareHost(url.hostname)
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return noProxy
    .flatMap((entry) => entry.trim().split(/\s+/))
    .some((entry) => {
      const [, inBrackets, plain, prefix, entryPort] = form.exec(entry) ?? []
      const name = bareHost(inBrackets ?? plain ?? '').replace(/^\*?\./, '')
      if (name === '' || (entryPort !== undefined && entryPort !== port)) return false
      if (isIP(name) !== 0) return isWithin(host, name, prefix)
      if (prefix !== undefined) return false
      return name === '*' || host === name || (isIP(host) === 0 && host.endsWith(`.${name}`))
    })
}

/** Whether `host` is an address, and is `network` or, with the length of a prefix, within it. */
function isWithin(host: string, network: string, prefix: string | undefined): boolean {
  if (isIP(host) === 0) return false
  const bits = isIP(network) === 4 ? 32 : 128
  const length = prefix === undefined ? bits : Number(prefix)
  if (length > bits) return false
  const list = new BlockList()
  list.addSubnet(network, length, familyOf(network))
  return list.check(host, familyOf(host))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6'
}

/** Without brackets, in small letters, without the dot that ends a full name. */
function bareHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
}
