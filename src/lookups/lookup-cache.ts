import { type Clock } from '../util/clock.ts'

/** Limits of a {@link LookupCache}. */
export interface LookupCacheBounds {
  /** Maximum total weight, in the unit of `weigh`; by default the number of answers. */
  readonly maxWeight: number
  /** Time to live of an answer, in milliseconds. */
  readonly ttlMs: number
  /** Time to live of "not found", in milliseconds. Short, so that new objects show up soon. */
  readonly absentTtlMs: number
}

interface Kept<T> {
  readonly value: T | undefined
  readonly weight: number
  readonly untilMs: number
}

/** Cache of platform answers, including "not found". Evicts the least recently used. */
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

  /** Changes with every {@link forget}; answers requested before are then not stored. */
  get epoch(): number {
    return this.#epoch
  }

  /** The cached answer in a box; its value is undefined for "not found". No box if nothing is cached. */
  get(key: string): { readonly value: T | undefined } | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    this.#drop(key)
    if (this.#clock.monotonic() >= kept.untilMs) return undefined
    this.#add(key, kept)
    return kept
  }

  /** Stores an answer, unless something was forgotten since `epoch`. */
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

  /** Drops an outdated answer. */
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
