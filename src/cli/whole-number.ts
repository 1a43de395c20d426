import { InvalidArgumentError } from 'commander'

/** Creates a commander parser for a whole number from `least` to `most`. */
export function wholeNumberFrom(least: 0 | 1, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isSafeInteger(number) && number >= least && number <= most) return number
    const upTo = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`
    throw new InvalidArgumentError(`Must be a whole number from ${least}${upTo}.`)
  }
}
