import { entriesOf } from './entries-of.ts'
import { itemsOf, textOf } from './raw-value.ts'
import { withoutEnd } from '../../util/without-end.ts'

/** Repeating this many consecutive characters of a secret reveals too much. */
const secretRun = 5

/** A received value, which no message may repeat. */
export interface ReceivedValue {
  readonly value: unknown
  readonly isSecret: boolean
}

/**
 * Whether `message` repeats a received value. Authors' schemas may put the value in their messages; ours
 * never do. Not even part of a secret may appear.
 */
export function repeatsReceived(message: string, received: readonly ReceivedValue[]): boolean {
  const said = message.toLowerCase()
  return received.some(({ value, isSecret }) =>
    textsWithin(value).some((text) => (isSecret ? sharesRun(said, text) : contains(said, text))),
  )
}

/** Every text inside a value, however deeply nested. */
export function textsWithin(value: unknown): readonly string[] {
  const text = textOf(value)?.trim()
  const whole = text ?? (typeof value === 'number' || typeof value === 'bigint' ? String(value) : '')
  const parts = [
    ...(entriesOf(value) ?? []).flat(),
    // Items of a comma-separated list; text without a comma is its only item.
    ...(text === undefined || text.includes(',') || text.startsWith('[') ? (itemsOf(value) ?? []) : []),
  ]
  return [whole, ...parts.flatMap(textsWithin)].filter((part) => part !== '')
}

function contains(said: string, text: string): boolean {
  const lower = text.toLowerCase()
  if (lower.length >= 4)
    return said.includes(lower) || said.includes(encodeURIComponent(String(Buffer.from(text))).toLowerCase())
  // Short values such as 5 or on occur in many unrelated words and numbers.
  return (
    said.split(/[^\p{L}\p{N}]+/u).includes(lower) || (/[^\p{L}\p{N}]/u.test(lower) && said.includes(lower))
  )
}

function sharesRun(said: string, text: string): boolean {
  const variants = [
    text,
    encodeURIComponent(String(Buffer.from(text))),
    withoutEnd(Buffer.from(text).toString('base64'), '='),
  ]
  return variants.some((variant) => {
    const lower = variant.toLowerCase()
    if (lower.length <= secretRun) return said.includes(lower)
    for (let start = 0; start + secretRun <= lower.length; start += 1) {
      if (said.includes(lower.slice(start, start + secretRun))) return true
    }
    return false
  })
}
