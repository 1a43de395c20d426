/** The elements of a list: anything with a key, such as an item from `itemsOf`. */
export interface ListItem {
  /** `kind:value`, as from `itemKey`, or any other text. */
  readonly key: string
}

/** Items to list. They are read one by one, so that a list of millions is never in memory. */
export type ListItems<Item extends ListItem = ListItem> = Iterable<Item> | AsyncIterable<Item>

/** Maximum number of examples of left-out items to keep. */
const maxExamples = 10

/** Maximum number of characters of a key in an example. */
const maxShownCharacters = 120

/** An item that a format cannot represent. */
export interface LeftOutItem {
  /** The first characters of its key, with control characters as `\u…`. */
  readonly key: string
  /** Why, in a few words for a person: `a label is longer than 63 characters`. */
  readonly reason: string
}

/** The items left out of a list. */
export interface LeftOut {
  readonly count: number
  /** The first ten. */
  readonly examples: readonly LeftOutItem[]
}

/** Counts left-out items while a list is generated. */
export class LeftOutItems implements LeftOut {
  readonly examples: LeftOutItem[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  add(key: string, reason: string): void {
    this.#count += 1
    if (this.examples.length < maxExamples) this.examples.push({ key: shown(key), reason })
  }

  toJSON(): LeftOut {
    return { count: this.#count, examples: this.examples }
  }
}

function shown(key: string): string {
  return key.slice(0, maxShownCharacters).replaceAll(unsafe, escapedCharacter)
}

/** Characters that break a line for some reader, end a text, or change how the rest of a line looks. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}\p{Bidi_Control}\ufeff]/gu
const firstUnsafe = new RegExp(unsafe.source, 'u')

/** Whether a text could be more than one line, or look like another, to any reader. */
export const isUnsafe = (text: string): boolean => firstUnsafe.test(text)

const escapedCharacter = (character: string) =>
  `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`

/** Escapes them as `\u…`, which is equivalent in JSON. */
export const withoutUnsafe = (json: string): string => json.replaceAll(unsafe, escapedCharacter)
