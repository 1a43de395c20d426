import { isIP } from 'node:net'
import { canonicalAddress } from './canonical-address.ts'
import { canonicalDomain } from './canonical-domain.ts'

/** What `URL` reads as it reads `http`; an empty path means `/` there (RFC 3986, 6.2.3). */
const defaultPorts: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  ws: '80',
  wss: '443',
  ftp: '21',
}

/**
 * The one spelling of a URL: scheme and host in lower case, the host as a domain or an address is spelled, no default port.
 * Path, query and fragment stay exactly as they are, since servers tell their spellings apart. Undefined for what names no
 * host, and for what holds line breaks or control characters, which a browser would drop in silence.
 */
export function canonicalUrl(text: string): string | undefined {
  const given = text.trim()
  if (/\p{Cc}/u.test(given)) return undefined
  const [, schemeGiven, authority, rest] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/isu.exec(given) ?? []
  if (schemeGiven === undefined) return undefined
  const scheme = schemeGiven.toLowerCase()
  const at = authority!.lastIndexOf('@') + 1
  const [, name, digits = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority!.slice(at)) ?? []
  if (name === undefined || authority!.slice(0, at).includes('\\')) return undefined
  const host = canonicalHost(name)
  const port = digits === '' ? '' : String(Number(digits))
  if (host === undefined || Number(port) > 65_535) return undefined
  const isUsual = Object.hasOwn(defaultPorts, scheme)
  const path = isUsual && !rest!.startsWith('/') ? `/${rest!}` : rest!
  const suffix = port === '' || (isUsual && port === defaultPorts[scheme]) ? '' : `:${port}`
  return `${scheme}://${authority!.slice(0, at)}${host}${suffix}${path}`
}

function canonicalHost(name: string): string | undefined {
  if (name.startsWith('[')) {
    const inner = name.slice(1, -1)
    if (isIP(inner) !== 6 || inner.includes('%')) return undefined
    return new URL(`http://${name}/`).hostname
  }
  const domain = canonicalDomain(name)
  if (domain !== undefined || !/^[\da-fx.]+$/i.test(name)) return domain
  // `http://2130706433/` and `http://0x7f.1/` are addresses to every browser.
  const url = URL.canParse(`http://${name}/`) ? new URL(`http://${name}/`).hostname : ''
  return canonicalAddress(url)?.value
}
