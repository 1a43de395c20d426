/** What the tries of one operation have come to: retries, outages and dead letters are decided by it. */
export class Tries {
  /** How many there were, the present one included. */
  count = 0
  /** Failures that are held against the event itself, since the target worked for others. */
  charges = 0
  /** How often the target had worked for anybody when the last one failed; -1 before any has. */
  failedAtSuccess = -1
  /** Failures in a row that cannot have been the target's. */
  unexplained = 0
  /** How many failures count in the share of all tries, what they count, and since how many tries of all. */
  counted = 0
  ownFailures = 0
  ownFailuresAt = 0
  /** How often it was refused for good, and kept all the same as everything was; once for a dead letter that is tried again. */
  refusals = 0
  /** In milliseconds since 1970; 0 when none has failed. */
  firstFailedAtMs = 0
  lastFailedAtMs = 0
  /** Why the last one failed; empty when none has. */
  lastFailure = ''

  /** One has failed at this wall time, in milliseconds since 1970. */
  fail(nowMs: number, reason: string): void {
    this.lastFailure = reason
    if (this.firstFailedAtMs === 0) this.firstFailedAtMs = nowMs
    this.lastFailedAtMs = nowMs
  }
}
