/**
 * STIX types that take one byte. Files contain their numbers: only append, together with an entry in `migrations`,
 * and no more than 64.
 */
const types = `
  indicator relationship sighting report malware vulnerability threat-actor intrusion-set campaign
  attack-pattern course-of-action tool infrastructure incident identity location note opinion
  observed-data grouping malware-analysis case-incident case-rfi case-rft feedback task channel event
  narrative language data-component data-source persona marking-definition label external-reference
  kill-chain-phase ipv4-addr ipv6-addr domain-name hostname url email-addr mac-addr file artifact
  directory process software mutex email-message network-traffic autonomous-system user-account
  windows-registry-key x509-certificate text user-agent cryptocurrency-wallet cryptographic-key
  credential phone-number bank-account
`
  .trim()
  .split(/\s+/)

/** Number of the first type. Text in UTF-8 never begins with it or the 63 after it. */
const firstType = 0x80

/** In place of a type: the rest is the whole text. */
const wholeText = 0xff

const numbers = new Map(types.map((type, index) => [type, firstType + index]))
const uuidLength = 36
const uuidBytes = 16

/** A route after a key. */
const plainEnd = /^@[ -~]*$/

/** Values of the digits; others have more than four bits. */
const digitValues = new Uint8Array(256).fill(0xff)
for (let value = 0; value < 16; value++) digitValues[value.toString(16).charCodeAt(0)] = value

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * An id as a state file has it: one text has one form, and {@link textOfId} returns the same text. A UUID in lower case
 * takes 16 bytes: first its own, then the number of the STIX type before it, if any, and the text after it. Anything
 * else stays text; with a NUL, at which Node 22 truncates text from SQLite, it is bytes too.
 */
export function compactId(text: string): string | Uint8Array {
  const dashes = text.indexOf('--')
  const number = dashes === -1 ? undefined : numbers.get(text.slice(0, dashes))
  const start = number === undefined ? 0 : dashes + 2
  const end = text.slice(start + uuidLength)
  if (text.length >= start + uuidLength && (end === '' || plainEnd.test(end))) {
    const bytes = Buffer.allocUnsafe(uuidBytes + (number === undefined ? 0 : 1) + end.length)
    if (number !== undefined) bytes[uuidBytes] = number
    if (end !== '') bytes.write(end, bytes.length - end.length, 'latin1')
    if (writeUuid(bytes, text, start)) return bytes
  }
  return text.includes('\0')
    ? Buffer.concat([Buffer.alloc(uuidBytes), Buffer.of(wholeText), Buffer.from(text)])
    : text
}

/** Whether there is a UUID at `start`. One pass, because each record has two ids. */
function writeUuid(bytes: Uint8Array, text: string, start: number): boolean {
  let index = start
  let bits = 0
  for (let byte = 0; byte < uuidBytes; byte++) {
    if (isAfterDash(byte) && text[index++] !== '-') return false
    const high = digitValues[text.charCodeAt(index++)] ?? 0xff
    const low = digitValues[text.charCodeAt(index++)] ?? 0xff
    bits |= high | low
    bytes[byte] = (high << 4) | low
  }
  return bits < 16
}

/**
 * The text that became `id`.
 *
 * @throws Error if the file is damaged: no text becomes this.
 */
export function textOfId(id: string | Uint8Array): string {
  if (typeof id === 'string') return id
  if (id.length < uuidBytes) throw damaged()
  const number = id[uuidBytes] ?? 0
  if (number === wholeText) return textAfter(id, uuidBytes + 1)
  let text = ''
  if (number >= firstType) {
    const type = types[number - firstType]
    if (type === undefined) throw damaged()
    text = `${type}--`
  }
  for (let byte = 0; byte < uuidBytes; byte++) {
    if (isAfterDash(byte)) text += '-'
    text += hexOfByte[id[byte]!]!
  }
  return text + textAfter(id, number >= firstType ? uuidBytes + 1 : uuidBytes)
}

const isAfterDash = (byte: number) => byte === 4 || byte === 6 || byte === 8 || byte === 10

const textAfter = (id: Uint8Array, start: number) =>
  id.length === start ? '' : Buffer.from(id.subarray(start)).toString()

/** With SQLite's code for a damaged file. */
const damaged = () => Object.assign(new Error('The state contains an invalid id.'), { errcode: 11 })
