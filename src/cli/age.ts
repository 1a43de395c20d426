import { InvalidArgumentError } from 'commander'

const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

/** Parses an age such as `30d` to milliseconds. */
export function ageMs(text: string): number {
  const match = /^(\d+)([smhdw])$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Must be a number and a unit: 45m, 12h, 30d, 4w.')
  return Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs]
}
