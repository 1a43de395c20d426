import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

const documents = [
  ...markdownIn('.'),
  ...markdownIn('docs', true).filter((file) => !file.startsWith('docs/api')),
  ...markdownIn('examples', true),
]

test('every link between the documents leads to an existing file and heading', () => {
  const problems: string[] = []
  let links = 0
  for (const document of documents) {
    for (const target of linksOf(read(document))) {
      if (/^[a-z][a-z+.-]*:/i.test(target)) continue
      links++
      const [path, anchor] = target.split('#', 2) as [string, string | undefined]
      const file = path === '' ? document : join(dirname(document), decodeURI(path))
      const leadsOut = relative(root, join(root, file)).startsWith('..')
      if (leadsOut || !existsSync(join(root, file))) problems.push(`${document}: ${target}`)
      else if (anchor !== undefined && !anchorsOf(read(file)).has(anchor))
        problems.push(`${document}: ${target} (no such heading)`)
    }
  }
  expect(links).toBeGreaterThan(20)
  expect(problems).toEqual([])
})

test('finds headings under the names that GitHub gives them', () => {
  const text =
    '# A `code`, and *more*: it’s\n## Twice\n```sh\n# no heading\n```\n## Twice\n### [A link](x.md)'
  expect([...anchorsOf(text)]).toEqual(['a-code-and-more-its', 'twice', 'twice-1', 'a-link'])
})

test('finds links next to code, with titles and as images, but not in code', () => {
  const text =
    '[a](a.md) ![b](b.png "title") `[c](c.md)`\n```ts\n[d](d.md)\n```\n[e]: e.md\n<img src="f.png" alt="">'
  expect(linksOf(text)).toEqual(['a.md', 'b.png', 'e.md', 'f.png'])
})

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function markdownIn(folder: string, recursive = false): string[] {
  return readdirSync(join(root, folder), { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^[ \t]*(`{3,}|~{3,})[^\n]*\n[\s\S]*?^[ \t]*\1/gm, '')
}

/** Where the links, images and reference definitions of a Markdown text lead. */
function linksOf(text: string): string[] {
  const prose = withoutBlocks(text).replaceAll(/(`+)[^`][\s\S]*?\1/g, '')
  const pattern = /\]\(<?([^)\s>]+)|^\[[^\]]+\]:\s+<?([^\s>]+)|<(?:img|a)\s[^>]*?(?:src|href)="([^"]+)"/gm
  return [...prose.matchAll(pattern)].map(([, inline, reference, tag]) => (inline ?? reference ?? tag)!)
}

/** The anchors of a document's headings: small letters, no punctuation, dashes for spaces, a number for the next of a name. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of withoutBlocks(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const words = heading!.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const name = words.replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-')
    let anchor = name
    for (let count = 1; anchors.has(anchor); count++) anchor = `${name}-${count}`
    anchors.add(anchor)
  }
  return anchors
}
