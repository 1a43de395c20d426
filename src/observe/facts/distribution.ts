/** How many values fell between which bounds. */
export class Distribution {
  readonly bounds: readonly number[]
  /** One more than there are bounds; not added up. */
  readonly counts: Float64Array
  sum = 0
  count = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  add(value: number): void {
    const { bounds } = this
    let index = 0
    while (index < bounds.length && value > bounds[index]!) index++
    this.counts[index]!++
    this.sum += value
    this.count++
  }

  /** The bound that so large a share of the values stays below; null beyond the last, 0 without values. */
  quantile(share: number): number | null {
    return quantileOf(this.bounds, this.counts, share)
  }
}

/** The bound that so large a share of counted values stays below; null beyond the last, 0 without values. */
export function quantileOf(bounds: readonly number[], counts: Float64Array, share: number): number | null {
  const count = counts.reduce((sum, each) => sum + each, 0)
  if (count === 0) return 0
  let seen = 0
  for (const [index, bound] of bounds.entries()) {
    seen += counts[index]!
    if (seen >= count * share) return bound
  }
  return null
}
