import { withoutEnd } from './without-end.ts'

const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * How a secret may appear in foreign text: verbatim, in URLs, forms, JSON, HTML, on one line, and in base64.
 */
export function spellings(secret: string): string[] {
  // An unpaired surrogate is invalid in a URL.
  const whole = String(Buffer.from(secret))
  const json = JSON.stringify(secret).slice(1, -1)
  const inUrls = [
    encodeURIComponent(whole),
    encodeURI(whole),
    `${new URLSearchParams({ '': whole })}`.slice(1),
  ]
  return [
    secret,
    secret.trim(),
    secret.replaceAll(/[\r\n\u2028\u2029]\s*/g, ' '),
    secret.replaceAll(/\s+/g, ' ').trim(),
    ...inUrls,
    ...inUrls.map((text) => text.replaceAll(/%[\dA-F]{2}/g, (code) => code.toLowerCase())),
    json,
    JSON.stringify(json).slice(1, -1),
    // As Node prints it in other quotation marks.
    json.replaceAll('\\"', '"'),
    secret.replaceAll(/[&<>"']/g, (character) => htmlEntities[character]!),
    ...base64Of(secret),
  ]
}

/**
 * Base64 of a secret, alone or after one or two other bytes, without the characters it shares with its
 * neighbors.
 */
function base64Of(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]).toString('base64')
    const inner = encoded.slice(
      offset === 0 ? 0 : offset + 1,
      encoded.endsWith('=') ? withoutEnd(encoded, '=').length - 1 : undefined,
    )
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
  })
}
