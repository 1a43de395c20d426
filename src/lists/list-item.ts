/** What a list is made of: anything with a key, such as an item of `itemsOf`. */
export interface ListItem {
  /** `kind:value`, as `itemKey` makes it, or any other text. */
  readonly key: string
}

/** Items to be listed. They are taken one by one, so that a list of millions is never in memory. */
export type ListItems<Item extends ListItem = ListItem> = Iterable<Item> | AsyncIterable<Item>

/** How many examples of what was left out are kept. */
const maxExamples = 10

/** Characters of a key that an example shows. */
const maxShownCharacters = 120

/** An item that a format cannot hold. */
export interface LeftOutItem {
  /** The first characters of its key, with control characters as `\u…`. */
  readonly key: string
  /** Why, in a few words for a person: `a label is longer than 63 characters`. */
  readonly reason: string
}

/** What a list does not hold of what it was given. */
export interface LeftOut {
  readonly count: number
  /** The first ten. */
  readonly examples: readonly LeftOutItem[]
}

/** Counts what is left out while a list is made. */
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

/** What breaks a line for some reader, ends a text, or changes how the rest of a line looks. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}\p{Bidi_Control}\ufeff]/gu
const firstUnsafe = new RegExp(unsafe.source, 'u')

/** Whether a text could be more than one line, or look like another, for whoever reads it. */
export const isUnsafe = (text: string): boolean => firstUnsafe.test(text)

const escapedCharacter = (character: string) =>
  `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`

/** JSON says the same with them as `\u…`. */
export const withoutUnsafe = (json: string): string => json.replaceAll(unsafe, escapedCharacter)
