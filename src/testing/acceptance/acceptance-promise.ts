import { type AcceptanceStage } from './acceptance-stage.ts'
import { type ConnectorDescription } from './child-messages.ts'
import { type EntityKind } from './entity-kind.ts'
import { type HistoryOptions } from './platform-history.ts'

/** What a promise is tried with. */
export interface Trial {
  readonly stage: AcceptanceStage
  readonly about: ConnectorDescription
  /** What the connector takes. */
  readonly kinds: readonly EntityKind[]
  readonly history: HistoryOptions
  /** Whether the connector divides entities into items with keys, which several of them share. */
  readonly holdsValues: boolean
}

/** How the trial of a promise ended: it was kept, with what there is to say about it, or could not be tried, and why. */
export type Verdict =
  { readonly isTried: true; readonly note?: string } | { readonly isTried: false; readonly why: string }

/** A promise that a connector keeps at its target. */
export interface AcceptancePromise {
  readonly name: string
  /** Why it cannot be tried here; undefined if it can. */
  readonly whyNot?: (trial: Trial) => string | undefined
  /**
   * Tries it.
   *
   * @returns nothing if it is kept and there is nothing to say about it.
   * @throws AcceptanceFailure if it is not kept.
   */
  readonly try: (trial: Trial) => Promise<Verdict | void>
}

/** Whether a target without updates holds what the first state said. */
export function isKeysOnly({ about: { hooks, hasLists } }: Trial): boolean {
  return !hasLists && !['update', 'flush', 'replaceAll'].some((hook) => hooks.includes(hook))
}
