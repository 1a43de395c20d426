/** The median; for an even number of values, the upper one of the middle two. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** A small table for a terminal, with names left-aligned and numbers right-aligned. */
export class Table {
  readonly #rows: (readonly string[])[]

  constructor(...titles: readonly string[]) {
    this.#rows = [titles]
  }

  add(...cells: readonly (string | number)[]): void {
    this.#rows.push(cells.map(String))
  }

  print(): void {
    const widths = this.#rows[0]!.map((_, column) =>
      Math.max(...this.#rows.map((row) => row[column]!.length)),
    )
    for (const [index, row] of this.#rows.entries()) {
      const cells = row.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      console.log(cells.join('  ').trimEnd())
      if (index === 0) console.log(widths.map((width) => '-'.repeat(width)).join('  '))
    }
    console.log()
  }
}
