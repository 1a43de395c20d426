import { isIP } from 'node:net'
import { canonicalAddress } from './canonical-address.ts'
import { canonicalDomain } from './canonical-domain.ts'

/** Schemes that `URL` treats like `http`, in which an empty path means `/` (RFC 3986, 6.2.3). */
const defaultPorts: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  ws: '80',
  wss: '443',
  ftp: '21',
}

/**
 * The canonical form of a URL: scheme and host in lower case, the host as a canonical domain or address, no
 * default port. Path, query, and fragment stay unchanged, because servers distinguish their spellings.
 * Undefined for anything without a host, and for line breaks or control characters, which a browser would
 * silently drop.
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
  // Every browser treats `http://2130706433/` and `http://0x7f.1/` as addresses.
  const url = URL.canParse(`http://${name}/`) ? new URL(`http://${name}/`).hostname : ''
  return canonicalAddress(url)?.value
}
