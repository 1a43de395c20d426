import { tlpMarkingIds } from '../../stix/read/tlp.ts'
import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'
import { sampleValues, type SampleValues } from './sample-values.ts'

/** What an indicator looks for, and in which language. */
export type IndicatorKind = keyof typeof patterns

/** STIX patterns, one for each form a platform sends. */
const patterns = {
  ipv4: ({ ipv4 }: SampleValues) => `[ipv4-addr:value = '${ipv4}']`,
  ipv6: ({ ipv6 }: SampleValues) => `[ipv6-addr:value = '${ipv6}']`,
  domain: ({ domain }: SampleValues) => `[domain-name:value = '${domain}']`,
  url: ({ url }: SampleValues) => `[url:value = '${url}']`,
  email: ({ email }: SampleValues) => `[email-addr:value = '${email}']`,
  mac: ({ mac }: SampleValues) => `[mac-addr:value = '${mac}']`,
  md5: ({ md5 }: SampleValues) => `[file:hashes.MD5 = '${md5}']`,
  sha1: ({ sha1 }: SampleValues) => `[file:hashes.'SHA-1' = '${sha1}']`,
  sha256: ({ sha256 }: SampleValues) => `[file:hashes.'SHA-256' = '${sha256}']`,
  sha512: ({ sha512 }: SampleValues) => `[file:hashes.'SHA-512' = '${sha512}']`,
  hostname: ({ domain }: SampleValues) => `[hostname:value = 'host.${domain}']`,
  and: ({ md5, sha256 }: SampleValues) =>
    `[file:hashes.MD5 = '${md5}' AND file:hashes.'SHA-256' = '${sha256}']`,
  or: ({ domain, ipv4 }: SampleValues) =>
    `[domain-name:value = '${domain}'] OR [ipv4-addr:value = '${ipv4}']`,
  in: ({ domain }: SampleValues) => `[domain-name:value IN ('${domain}', 'www.${domain}', 'mail.${domain}')]`,
  'followed-by': ({ email, url }: SampleValues) =>
    `([email-addr:value = '${email}'] FOLLOWEDBY [url:value = '${url}']) WITHIN 300 SECONDS`,
  like: ({ domain }: SampleValues) => `[url:value LIKE 'https://${domain}/%']`,
  yara: ({ word, md5 }: SampleValues) =>
    `rule ${word.replace('-', '_')}_${md5.slice(0, 8)} {\n  strings:\n    $a = "${md5}"\n  condition:\n    $a\n}`,
  sigma: ({ word, domain }: SampleValues) =>
    [
      `title: Lookup of ${domain} by ${word}`,
      'status: experimental',
      'logsource:',
      '  category: dns_query',
      'detection:',
      '  selection:',
      `    QueryName: ${domain}`,
      '  condition: selection',
      'level: high',
    ].join('\n'),
  snort: ({ ipv4, md5 }: SampleValues) =>
    `alert tcp any any -> ${ipv4} 443 (msg:"contact ${md5}"; sid:${sidOf(md5)}; rev:1;)`,
  suricata: ({ domain, md5 }: SampleValues) =>
    `alert dns any any -> any any (msg:"lookup"; dns.query; content:"${domain}"; sid:${sidOf(md5)}; rev:1;)`,
  pcre: ({ md5 }: SampleValues) => `/^\\/gate\\/${md5.slice(0, 12)}\\.php$/i`,
  kql: ({ domain }: SampleValues) => `DeviceNetworkEvents | where RemoteUrl endswith "${domain}"`,
  spl: ({ domain }: SampleValues) => `index=proxy dest_host="${domain}" | stats count by src_ip`,
  eql: ({ domain }: SampleValues) => `network where dns.question.name == "${domain}"`,
}

const otherLanguages = new Set<IndicatorKind>([
  'yara',
  'sigma',
  'snort',
  'suricata',
  'pcre',
  'kql',
  'spl',
  'eql',
])

const mainTypes: Partial<Record<IndicatorKind, string>> = {
  in: 'Domain-Name',
  like: 'Url',
  yara: 'StixFile',
  sigma: 'Domain-Name',
  snort: 'IPv4-Addr',
  suricata: 'Domain-Name',
}

/** Every kind {@link buildIndicator} supports. */
export const indicatorKinds = Object.keys(patterns) as IndicatorKind[]

/**
 * Builds an indicator with a STIX pattern (`ipv4`, `sha256`, `or`, …) or a rule in another language (`yara`,
 * `sigma`, …).
 *
 * @example
 * ```ts
 * import { buildIndicator } from 'opencti-stream-connector/testing'
 *
 * const expired = buildIndicator('domain', { seed: 2, valid_until: '2020-01-01T00:00:00.000Z', x_opencti_score: 90 })
 * ```
 */
export function buildIndicator(
  kind: IndicatorKind = 'ipv4',
  options: BuildOptions = {},
): BuiltObject<'indicator'> {
  const seed = seedOf(options)
  const values = sampleValues(seed)
  const isStix = !otherLanguages.has(kind)
  return buildObject(
    'indicator',
    {
      name: nameOf(kind, values),
      description: `An invented indicator, number ${seed}.`,
      pattern: patterns[kind](values),
      pattern_type: isStix ? 'stix' : kind,
      indicator_types: ['malicious-activity'],
      valid_from: dateOf(seed),
      valid_until: dateOf(seed, 3650),
      confidence: 75,
      labels: ['botnet'],
      object_marking_refs: [tlpMarkingIds['TLP:CLEAR']],
      x_opencti_score: 80,
      x_opencti_detection: true,
      ...(mainTypes[kind] && { x_opencti_main_observable_type: mainTypes[kind] }),
    },
    options,
  )
}

function nameOf(kind: IndicatorKind, values: SampleValues): string {
  if (kind in values) return values[kind as keyof SampleValues]
  return `${kind} for ${values.domain}`
}

function sidOf(md5: string): number {
  return 1_000_000 + (Number.parseInt(md5.slice(0, 6), 16) % 900_000)
}
