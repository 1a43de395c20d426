import { type LineFormat } from './line-format.ts'
import { type ListItem, withoutUnsafe } from './list-item.ts'
import { type JsonLinesOptions } from './list-options.ts'

const notJson = { reason: 'it cannot be written as JSON' }

/** One JSON value per line. */
export function jsonLinesFormat<Item extends ListItem>(options: JsonLinesOptions<Item>): LineFormat<Item> {
  return {
    head: () => '',
    lines: (item) => {
      const json = jsonOf(options.value === undefined ? item : options.value(item))
      return json === undefined ? notJson : `${withoutUnsafe(json)}\n`
    },
  }
}

/** Undefined for anything JSON cannot represent: cycles, big integers, functions. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) as string | undefined
  } catch {
    return undefined
  }
}
