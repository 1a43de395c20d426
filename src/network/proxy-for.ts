import { BlockList, isIP } from 'node:net'
import { type Secret } from '../util/secret.ts'

/** Proxies, as in the `opencti` section of the settings. */
export interface Proxies {
  /** Proxy for http URLs. */
  readonly http_proxy?: Secret | undefined
  /** Proxy for https URLs. */
  readonly https_proxy?: Secret | undefined
  /**
   * Destinations to reach without a proxy: `*`, a host, a domain with its subdomains (`example.com`,
   * `.example.com`, `*.example.com`), an IP address, or a CIDR range (`10.0.0.0/8`, `fd00::/8`). Each can end
   * in a port.
   */
  readonly no_proxy: readonly string[]
}

/**
 * The proxy for `url`; `undefined` if none. Chooses like Python's `requests`, including address ranges.
 * undici's `EnvHttpProxyAgent` does not support ranges or a trailing dot in names, requires brackets around
 * IPv6 addresses, sends https through the http proxy if there is no other, and reads the environment behind
 * the settings.
 */
export function proxyFor(url: URL, { http_proxy, https_proxy, no_proxy }: Proxies): Secret | undefined {
  const proxy = url.protocol === 'https:' ? https_proxy : http_proxy
  return proxy === undefined || isExempt(url, no_proxy) ? undefined : proxy
}

/** Address or name with an optional prefix length and port. An IPv6 address has more than one colon. */
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

/** Whether `host` is an address that equals `network`, or is within it if there is a prefix length. */
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

/** Lowercase, without brackets and without a trailing dot. */
function bareHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
}
