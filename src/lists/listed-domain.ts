import { canonicalDomain } from './canonical-domain.ts'
import { type ItemText, type Unfit } from './line-format.ts'

/** The domain in a text, or why a list of domains cannot contain it. */
export function listedDomain({ kind, text }: ItemText): string | Unfit {
  if (kind !== undefined && kind !== 'domain-name')
    return { reason: `a value of kind ${kind} is not a domain` }
  const domain = canonicalDomain(text)
  if (domain === undefined) return { reason: reasonOf(text) }
  return domain.includes('.') ? domain : { reason: 'it is a single label, like a top-level domain' }
}

function reasonOf(text: string): string {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (/^[a-z0-9_.-]+$/i.test(name)) {
    if (name.length > 253) return 'it is longer than 253 characters'
    if (name.split('.').some((label) => label.length > 63)) return 'a label is longer than 63 characters'
  }
  return 'it is not a domain'
}
