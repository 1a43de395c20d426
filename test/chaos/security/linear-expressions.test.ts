import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { scaled } from '../scale.ts'

/** At this length, quadratic time takes minutes, and linear time takes milliseconds. */
const length = scaled(30_000, 200_000)

/** Time limit for four such texts, in milliseconds. */
const patienceMs = 15_000

/** A regular expression of `src`, and where it is. */
interface Expression {
  readonly place: string
  readonly source: string
  readonly flags: string
  readonly units: readonly string[]
}

async function expressionsOfSource(): Promise<Expression[]> {
  const found: Expression[] = []
  for await (const file of glob('src/**/*.ts')) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest)
    const visit = (node: ts.Node): void => {
      if (ts.isRegularExpressionLiteral(node)) {
        const end = node.text.lastIndexOf('/')
        const { line } = source.getLineAndCharacterOfPosition(node.pos)
        found.push({
          place: `${file}:${line + 1}`,
          source: node.text.slice(1, end),
          units: unitsOf(node.text.slice(1, end)),
          flags: node.text.slice(end + 1),
        })
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return found
}

const anyUnits = ['a', '0', ' ', '\n', '\r\n', '-', '.', 'é', 'a0', 'a ', '0-', "a'", 'a:']

/** The characters in an expression, and one of each character class, to build hostile texts. */
function unitsOf(source: string): string[] {
  const plain = source
    .replaceAll(/\\[wdsbWDSB]|\\[pPu]\{?\w*\}?|[()[\]{}|^$*+?\\]/g, ' ')
    .split(/\s+/)
    .filter(Boolean)
  const singles = [...new Set(plain.join(''))]
  return [...new Set([...singles, ...plain, ...anyUnits])]
}

/** Runs them in order and reports the current one, so that one that hangs can be named. */
const program = `
  const { parentPort, workerData: { expressions, length } } = require('node:worker_threads')
  for (const { place, source, flags, units } of expressions) {
    for (const unit of units) {
      parentPort.postMessage(place + ' on many of ' + JSON.stringify(unit))
      const many = unit.repeat(Math.ceil(length / unit.length))
      for (const text of [many, many + '\\u0000', '\\u0000' + many, many + '!\\n'])
        text.replace(new RegExp(source, /[gy]/.test(flags) ? flags : flags + 'g'), '')
    }
  }
  parentPort.postMessage('')
`

async function firstSlowOf(expressions: readonly Expression[]): Promise<string | undefined> {
  const worker = new Worker(program, { eval: true, workerData: { expressions, length } })
  let patience: NodeJS.Timeout | undefined
  try {
    return await new Promise((resolve, reject) => {
      worker.on('error', reject)
      worker.on('message', (underWay: string) => {
        clearTimeout(patience)
        if (underWay === '') resolve(undefined)
        else patience = setTimeout(() => resolve(underWay), patienceMs)
      })
    })
  } finally {
    clearTimeout(patience)
    await worker.terminate()
  }
}

test('every regular expression takes time in proportion to the text, whatever the text is', async () => {
  const expressions = await expressionsOfSource()
  expect(expressions.length).toBeGreaterThan(80)
  const slow: string[] = []
  for (let rest = expressions; rest.length > 0;) {
    const problem = await firstSlowOf(rest)
    if (problem === undefined) break
    slow.push(problem)
    rest = rest.slice(rest.findIndex(({ place }) => problem.startsWith(`${place} `)) + 1)
  }
  expect(slow).toEqual([])
}, 300_000)
