import { type Refusal } from './http/refusal.ts'

/** Where to cut a frame. */
export type FrameCut = 'middle' | 'in-character' | 'after-data'

/** Faults for the next frames, connections, or requests, counted down as they occur. */
export interface ArmedFaults {
  refusals: { left: number; refusal: Refusal }[]
  swallowedConnects: number
  resetConnects: number
  failedConnects: { left: number; message: string; contentType: boolean }[]
  cutNextFrame: FrameCut | undefined
  cutsBeforeMain: number
  heartbeatsBeforeMain: number
  duplicateGroups: number
  graphql: { left: number; refusal: Refusal | 'reset' }[]
  lostPingAnswers: number
  lostRegistrationAnswers: number
  rejectedInputFields: ReadonlySet<string>
}

/** No faults. */
export function noFaults(): ArmedFaults {
  return {
    refusals: [],
    swallowedConnects: 0,
    resetConnects: 0,
    failedConnects: [],
    cutNextFrame: undefined,
    cutsBeforeMain: 0,
    heartbeatsBeforeMain: 0,
    duplicateGroups: 0,
    graphql: [],
    lostPingAnswers: 0,
    lostRegistrationAnswers: 0,
    rejectedInputFields: new Set(),
  }
}

/** Takes one from the first entry that has any left, and drops used-up entries. */
export function takeCounted<T extends { left: number }>(entries: T[]): T | undefined {
  while (entries[0] !== undefined && entries[0].left <= 0) entries.shift()
  const [first] = entries
  if (first !== undefined) first.left -= 1
  return first
}
