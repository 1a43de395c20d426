import * as nodeModule from 'node:module'

/**
 * TypeScript without its types, as a person would have written it. Node replaces types by spaces, so that every
 * character keeps its place; this takes out those spaces, the lines that held nothing else, and the comments of
 * declarations that are gone.
 *
 * @throws Error if this Node cannot strip types.
 */
export function javascriptOf(code: string): string {
  const originals = code.split('\n')
  const stripped = strip(code).split('\n')
  const lines: string[] = []
  for (const [index, line] of stripped.entries()) {
    const original = originals[index] ?? ''
    if (line.trim() === '' && original.trim() !== '') {
      if (/^(?:export )?(?:declare )?(?:interface|type) /.test(original)) dropComment(lines)
      continue
    }
    const tidy = line === original ? line : withoutGaps(line, original)
    if (/^import \{ ?\} from /.test(tidy) && tidy !== original) continue
    if (tidy === '' && lines.at(-1) === '') continue
    lines.push(tidy)
  }
  return lines.join('\n')
}

function strip(code: string): string {
  // Bundlers and older Nodes would refuse it by its name.
  const { stripTypeScriptTypes } = nodeModule
  try {
    return stripTypeScriptTypes(code)
  } catch (error) {
    throw new Error('This Node cannot strip types. Use another build of Node, or leave out --javascript.', {
      cause: error,
    })
  }
}

/** Takes the spaces out of a line that stand where the original has something else. */
function withoutGaps(line: string, original: string): string {
  const indent = /^ */.exec(original)![0]
  const tidy = line.replaceAll(/ +/g, (gap, start: number) => {
    const before = original.slice(start, start + gap.length)
    if (before === gap) return gap
    if (start === 0) return indent
    if (before.endsWith(' ')) return ' '
    return before.startsWith(' ') && !/[),;:.\]}]/.test(line[start + gap.length] ?? '') ? ' ' : ''
  })
  return tidy.trimEnd().replaceAll(/, (?=[}\]])/g, ' ')
}

/** Takes the comment of a declaration off the end of the lines. */
function dropComment(lines: string[]): void {
  if (lines.at(-1)?.endsWith('*/') === true) {
    while (lines.length > 0 && !lines.pop()!.trimStart().startsWith('/*'));
  } else while (lines.at(-1)?.startsWith('//') === true) lines.pop()
}
