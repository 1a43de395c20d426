/**
 * Whether one position, `<ms>-<seq>`, comes before another, as numbers. A position that is absent or cannot be read
 * comes before none. Stores know no more of positions than this.
 */
export function isEarlierPosition(one: string | undefined, other: string): boolean {
  const [ms, seq] = numbersOf(one)
  const [otherMs, otherSeq] = numbersOf(other)
  return ms < otherMs || (ms === otherMs && seq < otherSeq)
}

/** Not a number, which compares false with everything, for what is no position. */
function numbersOf(position: string | undefined): readonly [number, number] {
  const match = /^(\d+)-(\d+)$/.exec(position ?? '')
  return match === null ? [Number.NaN, Number.NaN] : [Number(match[1]), Number(match[2])]
}
