/**
 * The order of keys: by code point, which is the order of their bytes in UTF-8 and thus the one that SQLite keeps.
 * JavaScript's own `<` differs from it where characters outside the basic plane meet those above U+E000.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const unitA = a.charCodeAt(index)
    const unitB = b.charCodeAt(index)
    if (unitA !== unitB) return rank(unitA) - rank(unitB)
  }
  return a.length - b.length
}

/** Halves of surrogate pairs stand for the highest code points, but have lower numbers than some single units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
