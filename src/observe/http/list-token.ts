import { createHash, timingSafeEqual } from 'node:crypto'
import { type Secret } from '../../util/secret.ts'

/** The accepted schemes; Basic comes first, because firewalls support it. */
export const challenges: readonly string[] = ['Basic realm="lists", charset="UTF-8"', 'Bearer']

/**
 * Whether an Authorization header contains the token: as a bearer token, or as the password of Basic with any
 * user name, as firewalls send it. Timing reveals nothing about the token: the digests of both are compared.
 */
export function hasToken(header: string | undefined, token: Secret): boolean {
  const given = credentialIn(header ?? '')
  const isRight = timingSafeEqual(digestOf(given ?? Buffer.alloc(0)), digestOf(Buffer.from(token.reveal())))
  return given !== undefined && isRight
}

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

/** Headers arrive as Latin-1: one character per byte. */
function credentialIn(header: string): Buffer | undefined {
  const [, scheme = '', text = ''] = /^([a-z]+) +(\S+) *$/i.exec(header) ?? []
  if (scheme.toLowerCase() === 'bearer') return Buffer.from(text, 'latin1')
  if (scheme.toLowerCase() !== 'basic') return undefined
  const pair = Buffer.from(text, 'base64')
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : pair.subarray(colon + 1)
}
