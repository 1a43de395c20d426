/**
 * Why an operation is there that no event has brought: a comparison found that the target is not as it should be.
 *
 * It stands in the lane of its entity as any other; when its turn comes and something has happened to the entity since it
 * was found, it has nothing more to say.
 */
export interface Repair {
  /**
   * `withdraw`: what is gone at the platform; `recreate`: what the target has lost; `orphan`: what is in the target, was
   * ours, and is not in the id map.
   */
  readonly kind: 'withdraw' | 'recreate' | 'orphan'
  /** The route where it was found; absent where there is none. */
  readonly route?: string | undefined
  /** The target's id of an orphan. */
  readonly externalId?: string | undefined
  /** Whether something has happened to the entity since. */
  readonly isOvertaken: () => boolean
}
