/** What a copy last heard about the others. */
export interface Group {
  /** Name of the copy that reads the stream; undefined if none does at the moment. */
  readonly leader: string | undefined
  /** What the leader told when it had determined where to read; undefined before. */
  readonly ready: string | undefined
  /** Number of copies that work. */
  readonly copies: number
  /** What each copy reports about itself, by name. */
  readonly reports: ReadonlyMap<string, string>
}

export const nobody: Group = { leader: undefined, ready: undefined, copies: 0, reports: new Map() }

/** The answer of the script `heartbeat`. */
export type HeartbeatAnswer =
  | readonly ['over']
  | readonly ['partitions', known: string]
  | readonly [
      'ok',
      generation: string,
      leader: string,
      ready: string,
      token: string,
      copies: number,
      taken: readonly string[],
      reports: readonly string[],
      soonestEndMs: number,
    ]

export function groupOf([, , leader, ready, , copies, , reports]: Extract<
  HeartbeatAnswer,
  readonly ['ok', ...unknown[]]
>): Group {
  const byName = new Map<string, string>()
  for (let index = 0; index < reports.length; index += 2) byName.set(reports[index]!, reports[index + 1]!)
  return {
    leader: leader === '' ? undefined : leader,
    ready: ready === '' ? undefined : ready,
    copies,
    reports: byName,
  }
}

/** The name of a copy without the word that makes it unique. */
export function nameForPeople(name: string): string {
  return name.slice(name.indexOf(' ') + 1)
}
