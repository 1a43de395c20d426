import { InvalidArgumentError } from 'commander'

/** What reads a whole number from `least` on, as commander asks for it. */
export function wholeNumberFrom(least: 0 | 1): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isSafeInteger(number) && number >= least) return number
    throw new InvalidArgumentError(`It takes a whole number from ${least}.`)
  }
}
