import { isIP } from 'node:net'

/**
 * Whether a request is meant for this server, by its Host header. An attacker's page can point its own name
 * to our address (DNS rebinding) and read our answers, but it cannot choose what the browser sends as Host:
 * its own name. An IP address as Host means that no one's name was abused.
 *
 * @param header the Host header. Undefined in requests no browser makes.
 * @param names our names, in lowercase, in addition to `localhost`.
 */
export function isOwnHost(header: string | undefined, names: ReadonlySet<string>): boolean {
  const host = hostNameOf(header ?? '')
  if (host === undefined) return false
  return isIP(host) !== 0 || host === 'localhost' || host.endsWith('.localhost') || names.has(host)
}

/** Host name or address in a Host header, without port, in lowercase; undefined if invalid. */
function hostNameOf(header: string): string | undefined {
  const [, inBrackets, plain] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header) ?? []
  return (inBrackets ?? plain)?.toLowerCase().replace(/\.$/, '')
}
