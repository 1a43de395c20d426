import { type LineFormat, textOfItem, type Unfit, unsafeText } from './line-format.ts'
import { isUnsafe, type ListItem } from './list-item.ts'
import { type CsvOptions } from './list-options.ts'

/** Requires no quotes, whatever separator a spreadsheet uses. */
const plainWord = /^[\w.:/-]+$/

/** What spreadsheets take for the beginning of a formula, including full-width forms (OWASP, "CSV Injection"). */
const formula = /^\s*[=+\-@＝＋－＠]/

/** A number with a sign, such as a telephone number, is just a number. */
const signedNumber = /^[+-]\d[\d .]*$/

const asFormula: Unfit = { reason: 'a spreadsheet would run it as a formula' }

/** Comma-separated values, as in RFC 4180. */
export function csvFormat<Item extends ListItem>(options: CsvOptions<Item>): LineFormat<Item> {
  const columns = Object.entries(options.columns ?? { value: (item) => textOfItem(item, undefined).text })
  if (columns.length === 0) throw new TypeError('a CSV list must have at least one column')
  if (columns.some(([name]) => isUnsafe(name)))
    throw new TypeError('a column of a CSV list must have a name without control characters')
  const isKept = options.formulas === 'keep'
  return {
    head: () => (options.header === false ? '' : row(columns.map(([name]) => name))),
    lines: (item) => {
      const cells = columns.map(([, value]) => String(value(item) ?? ''))
      if (cells.some(isUnsafe)) return unsafeText
      return !isKept && cells.some(isFormula) ? asFormula : row(cells)
    },
  }
}

const isFormula = (cell: string) => formula.test(cell) && !signedNumber.test(cell)

const row = (cells: readonly string[]) => `${cells.map(quoted).join(',')}\r\n`

const quoted = (cell: string) => (plainWord.test(cell) ? cell : `"${cell.replaceAll('"', '""')}"`)
