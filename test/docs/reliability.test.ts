import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(root, 'docs/reliability.md'), 'utf8')

test('every row of the fault table names an existing test by its title', () => {
  const problems: string[] = []
  const titles = new Map<string, Set<string>>()
  const rows = rowsOf(text)
  for (const [fault, whatHappens, tests, python, ...rest] of rows) {
    const isWhole = [fault, whatHappens, tests, python].every((cell) => cell !== undefined && cell !== '')
    if (!isWhole || rest.length > 0) problems.push(`${fault}: a row has four cells`)
    const links = [...(tests ?? '').matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)]
    if (links.length === 0) problems.push(`${fault}: no test`)
    for (const [, title, file] of links) {
      if (!titles.has(file!)) titles.set(file!, titlesIn(file!))
      if (!titles.get(file!)!.has(title!)) problems.push(`${fault}: ${file} has no test "${title}"`)
    }
  }
  expect(rows.length).toBeGreaterThan(50)
  expect(problems).toEqual([])
})

test('finds titles with their groups, and marks the parts that vary', () => {
  const source = [
    "describe('a group', () => { test.for(cases)('takes %s at $place', () => {}) })",
    'test.skipIf(x)(`waits ${count} ms`, { timeout }, () => {})',
    "someFunction('no title')",
  ].join('\n')
  expect([...titlesOf(source)]).toEqual(['a group > takes … at …', 'takes … at …', 'waits … ms'])
})

/** The cells of every row below the head of a table. */
function rowsOf(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|'))
  const isRow = (line: string, index: number) =>
    !/^\|[-| :]+$/.test(line) && !/^\|[-| :]+$/.test(lines[index + 1] ?? '')
  return lines.filter(isRow).map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim()),
  )
}

function titlesIn(file: string): Set<string> {
  const path = join(root, file)
  return existsSync(path) ? titlesOf(readFileSync(path, 'utf8')) : new Set()
}

/** The titles of the tests in a source file, each alone and behind those of its groups; what varies in them is `…`. */
function titlesOf(source: string): Set<string> {
  const titles = new Set<string>()
  const visit = (node: ts.Node, groups: readonly string[]): void => {
    let within = groups
    if (ts.isCallExpression(node) && node.arguments[0] !== undefined) {
      const title = titleOf(node.arguments[0])
      const name = rootNameOf(node.expression)
      if (title !== undefined && name === 'describe') within = [...groups, title]
      if (title !== undefined && (name === 'test' || name === 'it' || name === 'testFuzz')) {
        titles.add([...groups, title].join(' > '))
        titles.add(title)
      }
    }
    ts.forEachChild(node, (child) => visit(child, within))
  }
  visit(ts.createSourceFile('test.ts', source, ts.ScriptTarget.ESNext, true), [])
  return titles
}

/** `test` of `test`, `test.for(cases)` and `test.skipIf(condition)`. */
function rootNameOf(expression: ts.Expression): string | undefined {
  if (ts.isIdentifier(expression)) return expression.text
  const isPart = ts.isPropertyAccessExpression(expression) || ts.isCallExpression(expression)
  return isPart ? rootNameOf(expression.expression) : undefined
}

function titleOf(argument: ts.Expression): string | undefined {
  const varying = (words: string) => words.replaceAll(/%[a-z]|\$[\w.]+/g, '…')
  if (ts.isStringLiteralLike(argument)) return varying(argument.text)
  if (!ts.isTemplateExpression(argument)) return undefined
  const spans = argument.templateSpans.map(({ literal }) => `…${varying(literal.text)}`)
  return varying(argument.head.text) + spans.join('')
}
