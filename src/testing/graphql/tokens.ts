/** The smallest part of a GraphQL document. */
export interface Token {
  readonly kind: 'name' | 'text' | 'number' | 'mark'
  readonly text: string
  /** What a text or number stands for. */
  readonly value?: string | number | undefined
}

const pattern =
  /(?<gap>[\s,\uFEFF]+|#[^\n\r]*)|(?<name>[A-Za-z_]\w*)|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<block>"""[\s\S]*?""")|(?<text>"(?:[^"\\\n]|\\.)*")|(?<mark>[!$():=@[\]{}|&]|\.\.\.)/gy

/** Cuts a GraphQL document into tokens; what is none becomes a mark that no parser expects. */
export function parseTokens(source: string): Token[] {
  const tokens: Token[] = []
  let end = 0
  for (const match of source.matchAll(pattern)) {
    end = match.index + match[0].length
    const { name, number, block, text, mark } = match.groups!
    if (name !== undefined) tokens.push({ kind: 'name', text: name })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, value: Number(number) })
    else if (block !== undefined) tokens.push({ kind: 'text', text: block, value: block.slice(3, -3) })
    else if (text !== undefined) tokens.push({ kind: 'text', text, value: JSON.parse(text) as string })
    else if (mark !== undefined) tokens.push({ kind: 'mark', text: mark })
  }
  if (end < source.length) tokens.push({ kind: 'mark', text: source.slice(end, end + 1) })
  return tokens
}
