/** An observable as the OpenCTI extension of an indicator lists it. */
export interface PatternObservable {
  type: string
  value?: string
  hashes?: Record<string, string>
}

const openCtiNames: Readonly<Record<string, string>> = {
  'ipv4-addr': 'IPv4-Addr',
  'ipv6-addr': 'IPv6-Addr',
  'domain-name': 'Domain-Name',
  url: 'Url',
  'email-addr': 'Email-Addr',
  'mac-addr': 'Mac-Addr',
  hostname: 'Hostname',
}

/** One comparison with an equals sign: object type, property path, value in quotes with its escapes. */
const comparison = /(?<![a-z0-9-])([a-z0-9-]+):([A-Za-z0-9_.'-]+)\s*=\s*'((?:[^'\\]|\\.)*)'/g

/**
 * The observables that a STIX pattern names with `=`, as the platform derives them when it takes in an indicator.
 * Values in other comparisons (`IN`, `LIKE`, `MATCHES`) are not listed, as on the platform.
 */
export function patternObservables(pattern: string): PatternObservable[] {
  const observables: PatternObservable[] = []
  for (const [, type, path, quoted] of pattern.matchAll(comparison)) {
    const value = quoted!.replace(/\\(.)/g, '$1')
    if (type === 'file' && path!.startsWith('hashes.')) {
      const algorithm = path!.slice('hashes.'.length).replaceAll("'", '')
      observables.push({ type: 'StixFile', hashes: { [algorithm]: value } })
    } else if (path === 'value' && openCtiNames[type!] !== undefined) {
      observables.push({ type: openCtiNames[type!]!, value })
    }
  }
  return observables
}
