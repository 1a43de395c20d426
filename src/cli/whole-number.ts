import { InvalidArgumentError } from 'commander'

/** What reads a whole number from `least` on, and up to `most`, as commander asks for it. */
export function wholeNumberFrom(least: 0 | 1, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isSafeInteger(number) && number >= least && number <= most) return number
    const upTo = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`
    throw new InvalidArgumentError(`It takes a whole number from ${least}${upTo}.`)
  }
}
