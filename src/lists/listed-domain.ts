import { canonicalDomain } from './canonical-domain.ts'
import { type ItemText, type Unfit } from './line-format.ts'

/** The domain that a text is, or why it is none that a list of domains may hold. */
export function listedDomain({ kind, text }: ItemText): string | Unfit {
  if (kind !== undefined && kind !== 'domain-name') return { reason: `a value of kind ${kind} is no domain` }
  const domain = canonicalDomain(text)
  if (domain === undefined) return { reason: reasonOf(text) }
  return domain.includes('.') ? domain : { reason: 'it is a single label, as top-level domains are' }
}

function reasonOf(text: string): string {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (/^[a-z0-9_.-]+$/i.test(name)) {
    if (name.length > 253) return 'it is longer than 253 characters'
    if (name.split('.').some((label) => label.length > 63)) return 'a label is longer than 63 characters'
  }
  return 'it is no domain'
}
