/** A block of TypeScript in a document. */
export interface CodeBlock {
  readonly code: string
  /** Line of the document that it starts at, from 1. */
  readonly line: number
}

/** The TypeScript blocks of a Markdown text, or of the comments of a source file. */
export function codeBlocksOf(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  for (const match of text.matchAll(/^([ \t]*(?:\* )?)```ts\n([\s\S]*?)^[ \t]*(?:\* )?```/gm)) {
    const isComment = match[1]!.includes('*')
    const code = isComment ? match[2]!.replaceAll(/^[ \t]*\* ?/gm, '') : match[2]!
    blocks.push({ code, line: text.slice(0, match.index).split('\n').length + 1 })
  }
  return blocks
}
