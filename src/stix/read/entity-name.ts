import { type Entity } from '../types/entity.ts'
import { openCtiFieldsOf } from '../types/entity-extensions.ts'
import { hashesIn } from '../types/hashes.ts'
import { type Fields, fieldsOf, listOf, numberOf, textOf } from '../types/json-value.ts'

/** Fields that serve as the name of types without `name`, in order of preference. */
const namingFields: ReadonlyMap<string, readonly string[]> = new Map([
  ['malware-analysis', ['result_name', 'product']],
  ['note', ['abstract', 'content']],
  ['opinion', ['opinion', 'explanation']],
  ['directory', ['path']],
  ['email-message', ['subject', 'message_id', 'body']],
  ['artifact', ['url', 'payload_bin']],
  ['process', ['command_line']],
  ['software', ['cpe', 'swid']],
  ['user-account', ['account_login', 'display_name', 'user_id']],
  ['windows-registry-key', ['key']],
  ['x509-certificate', ['subject', 'serial_number', 'issuer']],
  ['bank-account', ['iban', 'account_number']],
  ['payment-card', ['card_number']],
  ['media-content', ['title', 'url']],
  ['persona', ['persona_name']],
  ['ssh-key', ['fingerprint_sha256', 'public_key']],
  ['email-mime-part-type', ['body']],
  ['external-reference', ['external_id', 'url', 'source_name']],
  ['kill-chain-phase', ['phase_name']],
  ['indicator', ['pattern']],
  ['marking-definition', ['definition']],
])

const bestHashFirst = ['SHA-256', 'SHA-512', 'SHA-1', 'MD5'] as const

/**
 * Display name of an entity: its name, value, or subject; for relationships and sightings the names of both
 * ends; the STIX id as a last resort. For logs, messages, and titles. Follows OpenCTI's own rule (OpenCTI
 * platform, database/entity-representative.js). Can be long, and can be sensitive (a credential's name is its
 * value).
 *
 * @example
 * ```ts
 * import { nameOf, type Entity } from 'opencti-stream-connector'
 *
 * const titleOf = (entity: Entity) => `OpenCTI: ${nameOf(entity)}`
 * ```
 */
export function nameOf(entity: Entity): string {
  const fields = fieldsOf(entity)
  const type = textOf(fields['type'])
  const name =
    (type === 'relationship' ? relationshipName(fields) : undefined) ??
    (type === 'sighting' ? sightingName(fields) : undefined) ??
    textOf(fields['name']) ??
    textOf(fields['value']) ??
    firstText(fields, namingFields.get(type ?? '')) ??
    hashName(fields) ??
    (type === 'autonomous-system' ? systemName(fields) : undefined)
  return name ?? textOf(fields['id']) ?? ''
}

function firstText(fields: Fields, names: readonly string[] | undefined): string | undefined {
  for (const name of names ?? []) {
    const text = textOf(fields[name])
    if (text !== undefined) return text
  }
  return undefined
}

function hashName(fields: Fields): string | undefined {
  const hashes = hashesIn(fields['hashes'])
  if (hashes === undefined) return undefined
  for (const name of bestHashFirst) if (hashes[name] !== undefined) return hashes[name]
  return Object.values(hashes)[0]
}

function systemName(fields: Fields): string | undefined {
  const number = numberOf(fields['number'])
  return number === undefined ? undefined : `AS${number}`
}

function relationshipName(fields: Fields): string | undefined {
  const openCti = openCtiFieldsOf(fields)
  const source = textOf(openCti['source_value'])
  const target = textOf(openCti['target_value'])
  return source === undefined || target === undefined
    ? undefined
    : `${source} ${textOf(fields['relationship_type']) ?? 'related-to'} ${target}`
}

function sightingName(fields: Fields): string | undefined {
  const openCti = openCtiFieldsOf(fields)
  const what = textOf(openCti['sighting_of_value'])
  const where = textOf(listOf(openCti['where_sighted_values'])?.[0])
  return what === undefined || where === undefined ? undefined : `${what} sighted in ${where}`
}
