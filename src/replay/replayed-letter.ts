import { type Operation } from '../events/operation.ts'
import { type Route } from '../events/routes.ts'
import { type DeadLetter } from '../store/state-store.ts'

/** A dead letter that is tried again. */
export type ReplayedLetter = Pick<DeadLetter, 'id' | 'replay'> & {
  readonly entityKey: string
  /** The route that it goes through; all of them when it failed before it came to one. */
  readonly through: Route | undefined
  /** It goes before what waits of its entity. */
  readonly isFirst?: boolean | undefined
}

/** Of a merge, only the part that failed, and through its route: the others have ended, well or as letters of their own. */
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
    operation.tries.refusals = 1
  }
  return [...lanes.values()]
}
