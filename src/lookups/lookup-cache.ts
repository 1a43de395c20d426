import { type Clock } from '../util/clock.ts'

/** How much a {@link LookupCache} keeps, and for how long. */
export interface LookupCacheBounds {
  /** How much may be kept, in the unit of `weigh`; by default a count of answers. */
  readonly maxWeight: number
  /** How long an answer is good, in milliseconds. */
  readonly ttlMs: number
  /** How long "there is none" is good, in milliseconds: what is created meanwhile should be seen soon. */
  readonly absentTtlMs: number
}

interface Kept<T> {
  readonly value: T | undefined
  readonly weight: number
  readonly untilMs: number
}

/** Answers of the platform, also the answer that there is none; the least recently used are dropped first. */
export class LookupCache<T> {
  readonly #bounds: LookupCacheBounds
  readonly #clock: Clock
  readonly #weigh: (value: T) => number
  readonly #kept = new Map<string, Kept<T>>()
  #weight = 0
  #epoch = 0

  constructor(bounds: LookupCacheBounds, clock: Clock, weigh: (value: T) => number = () => 1) {
    this.#bounds = bounds
    this.#clock = clock
    this.#weigh = weigh
  }

  /** Changes with each {@link forget}: an answer that was asked for before is not kept any more. */
  get epoch(): number {
    return this.#epoch
  }

  /** The answer in a box, whose value is undefined where there is nothing; no box when nobody knows. */
  get(key: string): { readonly value: T | undefined } | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    this.#drop(key)
    if (this.#clock.monotonic() >= kept.untilMs) return undefined
    this.#add(key, kept)
    return kept
  }

  /** Keeps an answer, unless something was forgotten since `epoch`. */
  set(key: string, value: T | undefined, epoch: number): void {
    if (epoch !== this.#epoch) return
    this.#drop(key)
    const weight = value === undefined ? 1 : this.#weigh(value)
    if (weight > this.#bounds.maxWeight) return
    const { ttlMs, absentTtlMs } = this.#bounds
    const untilMs = this.#clock.monotonic() + (value === undefined ? absentTtlMs : ttlMs)
    this.#add(key, { value, weight, untilMs })
    for (const oldest of this.#kept.keys()) {
      if (this.#weight <= this.#bounds.maxWeight) break
      this.#drop(oldest)
    }
  }

  /** The answer is out of date. */
  forget(key: string): void {
    this.#epoch++
    this.#drop(key)
  }

  #add(key: string, kept: Kept<T>): void {
    this.#kept.set(key, kept)
    this.#weight += kept.weight
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#weight -= kept.weight
  }
}
