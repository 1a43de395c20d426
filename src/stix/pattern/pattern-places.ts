/** Lines and columns of offsets in one text. The lines are counted at the first question, and only once. */
export class PatternPlaces {
  readonly #text: string
  #lineStarts: number[] | undefined

  constructor(text: string) {
    this.#text = text
  }

  /** The line and the column of an offset, both from 1. */
  placeOf(offset: number): { readonly line: number; readonly column: number } {
    this.#lineStarts ??= lineStartsIn(this.#text)
    const starts = this.#lineStarts
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - starts[low]! + 1 }
  }
}

function lineStartsIn(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
