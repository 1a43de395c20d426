/** An observable in the OpenCTI extension of an indicator. */
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

/** An equality comparison: object type, property path, and quoted value with escapes. */
const comparison = /(?<![a-z0-9-])([a-z0-9-]+):([A-Za-z0-9_.'-]+)\s*=\s*'((?:[^'\\]|\\.)*)'/g

/**
 * Observables a STIX pattern names with `=`, as the platform derives them on import. As on the platform,
 * values of other operators (`IN`, `LIKE`, `MATCHES`) are not listed.
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
