import { z } from 'zod'

/** Durations in milliseconds, to bound options. @internal */
export const hourMs = 3_600_000
/** @internal */
export const dayMs = 24 * hourMs
/** @internal */
export const monthMs = 30 * dayMs

/** A whole number from `least` to `most`. @internal */
export function whole(least: number, most?: number) {
  const schema = z.int().min(least)
  return most === undefined ? schema : schema.max(most)
}

/** A number from `least` to `most`, including fractions: a duration, rate, or share. @internal */
export function between(least: number, most: number) {
  return z.number().min(least).max(most)
}
