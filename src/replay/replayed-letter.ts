import { type Operation } from '../events/operation.ts'
import { type Route } from '../events/routes.ts'
import { type DeadLetter } from '../store/state-store.ts'

/** A dead letter being retried. */
export type ReplayedLetter = Pick<DeadLetter, 'id' | 'replay'> & {
  readonly entityKey: string
  /** Route to use; all routes if it failed before it reached one. */
  readonly through: Route | undefined
  /** Put it before queued events of its entity. */
  readonly isFirst?: boolean | undefined
}

/** For a merge, only the part that failed, on its route. The others succeeded or have their own letters. */
export function partsOf(letter: ReplayedLetter, planned: readonly Operation[]): Operation[] {
  const { entityKey, through } = letter
  const lanes = new Map<string, Operation>()
  for (const operation of planned) {
    const isPart = operation.entityKey === entityKey && (through === undefined || operation.route === through)
    if (isPart && !lanes.has(operation.key)) lanes.set(operation.key, operation)
  }
  for (const operation of lanes.values()) {
    operation.origin = {
      kind: 'replay',
      letterId: letter.id,
      isForced: letter.replay === 'forced',
      isPart: lanes.size > 1,
    }
    operation.attempts.refusals = 1
  }
  return [...lanes.values()]
}
