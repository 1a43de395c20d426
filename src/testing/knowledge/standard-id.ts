import { createHash } from 'node:crypto'
import { type StixObject } from './stix-object.ts'

/** Namespace of all deterministic OpenCTI ids (OpenCTI platform, schema/general.js, `OASIS_NAMESPACE`). */
const namespace = Buffer.from('00abedb4aa42466c9c01fed23315a9b7', 'hex')

/** A deterministic UUID in the form of version 4, for reproducible OpenCTI ids. */
export function internalIdFrom(text: string): string {
  return uuidOf(`internal:${text}`, 4)
}

/**
 * The id OpenCTI derives from an object's identifying content: the value of an observable, the pattern of an
 * indicator, the name of a malware. Changing it changes the id (OpenCTI platform, schema/identifier.js).
 *
 * @returns undefined for types whose id does not depend on content.
 */
export function standardIdOf(object: StixObject): string | undefined {
  const key = identityOf(object)
  return key === undefined ? undefined : `${object.type}--${uuidOf(canonicalJson(key), 5)}`
}

function identityOf(object: StixObject): Record<string, unknown> | undefined {
  const text = (property: string) => {
    const value = object[property]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  switch (object.type) {
    case 'indicator':
      return text('pattern') === undefined ? undefined : { pattern: text('pattern') }
    case 'ipv4-addr':
    case 'ipv6-addr':
    case 'domain-name':
    case 'url':
    case 'email-addr':
    case 'mac-addr':
    case 'hostname':
    case 'text':
    case 'user-agent':
    case 'cryptocurrency-wallet':
    case 'phone-number':
    case 'credential':
    case 'tracking-number':
    case 'cryptographic-key':
      return text('value') === undefined ? undefined : { value: text('value') }
    case 'label':
      return text('value') === undefined ? undefined : { value: text('value')?.toLowerCase() }
    case 'file':
    case 'artifact':
      return fileIdentityOf(object)
    case 'identity':
      return named(text('name'), { identity_class: text('identity_class') })
    case 'malware':
    case 'threat-actor':
    case 'intrusion-set':
    case 'campaign':
    case 'tool':
    case 'vulnerability':
    case 'attack-pattern':
    case 'location':
    case 'infrastructure':
    case 'course-of-action':
      return named(text('name'))
    case 'report':
      return named(text('name'), { published: text('published') })
    case 'grouping':
      return named(text('name'), { context: text('context') })
    case 'case-incident':
    case 'case-rfi':
    case 'case-rft':
      return named(text('name'), { created: text('created') })
    case 'kill-chain-phase':
      return { kill_chain_name: text('kill_chain_name'), phase_name: text('phase_name') }
    case 'external-reference':
      return text('url') === undefined ? undefined : { url: text('url') }
    default:
      return undefined
  }
}

function named(
  name: string | undefined,
  rest: Record<string, unknown> = {},
): Record<string, unknown> | undefined {
  return name === undefined ? undefined : { name: name.trim().toLowerCase(), ...rest }
}

/** The first known hash identifies a file, or else its name. */
function fileIdentityOf(object: StixObject): Record<string, unknown> | undefined {
  const hashes = (object['hashes'] ?? {}) as Record<string, unknown>
  for (const algorithm of ['MD5', 'SHA-1', 'SHA-256', 'SHA-512']) {
    if (hashes[algorithm] !== undefined) return { hashes: { [algorithm]: hashes[algorithm] } }
  }
  return typeof object['name'] === 'string' ? { name: object['name'] } : undefined
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}

/** A UUID derived from `text` (RFC 9562, version 5), or in the form of version 4. */
function uuidOf(text: string, version: 4 | 5): string {
  const bytes = createHash('sha1').update(namespace).update(text).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4)
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
