/** Ratios to the bare loop with fetch: of events per second, and of events per second of CPU time. */
export interface Goal {
  readonly ratio: number
  readonly cpuRatio?: number
}

/** The connector's goals, by table and row. */
export const goals: Readonly<Record<string, Goal>> = {
  'events: connector: new entities': { ratio: 0.7, cpuRatio: 0.56 },
  'events: connector: known entities': { ratio: 0.58, cpuRatio: 0.48 },
  'events: connector: new entities, no id map': { ratio: 0.85, cpuRatio: 0.85 },
  'events: connector: filter by type rejects all': { ratio: 1.25, cpuRatio: 1.15 },
  'frames of 200 KB: connector: new entities': { ratio: 0.9 },
  'batches: connector: batches of 1000 to an HTTP sink': { ratio: 0.6 },
}
