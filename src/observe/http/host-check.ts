import { isIP } from 'node:net'

/**
 * Whether a request may have been meant for this server, by its Host header. A page of an attacker can make its own name
 * point to our address (DNS rebinding) and read what we answer, but it cannot choose what the browser sends as Host: its
 * own name. An address there means that nobody's name was used.
 *
 * @param header the Host header; absent in requests that no browser makes.
 * @param names the names that are ours, in lower case, beside `localhost`.
 */
export function isOwnHost(header: string | undefined, names: ReadonlySet<string>): boolean {
  const host = hostNameOf(header ?? '')
  if (host === undefined) return false
  return isIP(host) !== 0 || host === 'localhost' || host.endsWith('.localhost') || names.has(host)
}

/** The name or address in a Host header, without its port, in lower case; undefined when it is none. */
function hostNameOf(header: string): string | undefined {
  const [, inBrackets, plain] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header) ?? []
  return (inBrackets ?? plain)?.toLowerCase().replace(/\.$/, '')
}
