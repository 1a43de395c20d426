import { type CheckResult } from './check-result.ts'
import { counted, printable } from './output.ts'
import { paintFor } from './paint.ts'
import { wrapped } from './text-width.ts'

const signs = {
  ok: ['green', '✔'],
  warning: ['yellow', '!'],
  failed: ['red', '✖'],
  skipped: ['dim', '–'],
} as const
const nameWidth = 20
const indent = 2 + 2 + nameWidth

/** Formats one result, in as many lines as the terminal needs. */
export function checkText({ name, status, message }: CheckResult): string {
  const paint = paintFor()
  const [look, sign] = signs[status]
  // Piped output stays on one line.
  const columns = Math.max(process.stdout.columns ?? Number.POSITIVE_INFINITY, indent + 20)
  const lines = printable(message, true)
    .split('\n')
    .flatMap((line) => wrapped(line, columns - indent))
    .map((line) => (status === 'skipped' ? paint('dim', line) : line))
  const title = status === 'failed' ? paint('bold', name.padEnd(nameWidth)) : name.padEnd(nameWidth)
  return `  ${paint(look, sign)} ${title}${lines.join(`\n${' '.repeat(indent)}`)}`
}

/** Sums up all results in a sentence. */
export function checkVerdict(results: readonly CheckResult[]): string {
  const paint = paintFor()
  const count = (status: CheckResult['status']) => results.filter((result) => result.status === status).length
  const bad = count('failed')
  const left = count('skipped')
  const unseen = left === 0 ? '' : ` ${left === 1 ? 'One check was' : `${left} checks were`} skipped.`
  const warned = count('warning')
  const passed = warned === 0 ? 'All checks passed.' : `All checks passed, ${warned} with a warning.`
  return bad === 0
    ? `${paint('green', passed)}${unseen}`
    : `${paint('red', `${counted(bad, 'check')} failed.`)}${unseen}`
}
