import { systemRandom } from '../../util/backoff.ts'
import { tlpNames, compareTlp } from '../../stix/read/tlp.ts'
import { AcceptanceFailure } from './acceptance-failure.ts'
import { type AcceptanceOptions } from './acceptance-options.ts'
import { AcceptanceStage } from './acceptance-stage.ts'
import { type AcceptancePromise, type Trial, type Verdict } from './acceptance-promise.ts'
import { acceptancePromises } from './acceptance-promises.ts'
import { type ConnectorDescription } from './child-messages.ts'
import { entityKinds, type EntityKind } from './entity-kind.ts'
import { type Happening, type HistoryOptions } from './platform-history.ts'

/** One after the other in this process: several plans may share a target. */
let last: Promise<unknown> = Promise.resolve()

/** Tries the promises of one connector at one target. */
export class AcceptancePlan {
  readonly promises = acceptancePromises
  readonly seed: number
  readonly #options: AcceptanceOptions
  #findings: Promise<Findings> | undefined

  constructor(options: AcceptanceOptions) {
    this.#options = options
    for (const part of Object.keys(options.except ?? {}))
      if (!acceptancePromises.some(({ name }) => name.includes(part)))
        throw new TypeError(`No promise has "${part}" in its name, so it cannot be excepted.`)
    this.seed = options.seed ?? Math.floor(systemRandom() * 1_000_000)
  }

  /** Longest time for one promise, in milliseconds. */
  get timeoutMs(): number {
    const { kills = 4, size = 40, patienceMs = 30_000 } = this.#options
    return 60_000 + 4 * patienceMs + kills * 10_000 + size * 500
  }

  /** @throws AcceptanceFailure, with the seed, if the promise is not kept. */
  try(promise: AcceptancePromise): Promise<Verdict> {
    const trial = last.then(async () => {
      try {
        return await this.#try(promise)
      } catch (error) {
        if (!(error instanceof AcceptanceFailure)) throw error
        throw new AcceptanceFailure(
          `${error.message}\nTo repeat what happened, set the seed to ${this.seed}.`,
        )
      }
    })
    last = trial.catch(() => {})
    return trial
  }

  async #try(promise: AcceptancePromise): Promise<Verdict> {
    const excepted = Object.entries(this.#options.except ?? {}).find(([part]) => promise.name.includes(part))
    if (excepted !== undefined) return { isTried: false, why: excepted[1] }
    const findings = await (this.#findings ??= this.#find())
    await using stage = await AcceptanceStage.open(this.#options, this.seed)
    const trial: Trial = { stage, ...findings }
    const why = promise.whyNot?.(trial)
    if (why !== undefined) return { isTried: false, why }
    stage.fill(findings.kinds, Math.max(1, Math.ceil(stage.size / findings.kinds.length)), findings.history)
    return (await promise.try(trial)) ?? { isTried: true }
  }

  /** Finds out what the connector takes, by showing it one or two of everything. */
  async #find(): Promise<Findings> {
    await using stage = await AcceptanceStage.open(this.#options, this.seed)
    const about = await stage.start().description
    if (about === undefined) await stage.status()
    await stage.kill()
    const history = historyFor(about!)
    stage.fill(entityKinds, 2, history, true)
    stage.start()
    await stage.settle()
    const contents = await stage.read()
    const status = await stage.status()
    await stage.stop()
    const letters = await stage.deadLetters()
    if (contents.size === 0) {
      const skipped = Object.entries(status?.skippedByReason ?? {}).map(
        ([reason, count]) => `${count} ${reason}`,
      )
      throw new AcceptanceFailure(
        `The target is empty after ${stage.history.entities.length} entities of ${entityKinds.length} kinds, so nothing can be compared. ` +
          `The connector received ${status?.received ?? 0} events, delivered ${status?.delivered ?? 0}, and skipped ${status?.skipped ?? 0}` +
          `${skipped.length === 0 ? '' : ` (${skipped.join(', ')})`}.` +
          (letters[0] === undefined
            ? status?.delivered === 0
              ? ''
              : ' Does read() read what the connector writes?'
            : ` The first of ${letters.length} dead letters: ${letters[0].error}`),
      )
    }
    const pushed = await pushedIds(stage)
    const kinds = entityKinds.filter((kind) =>
      stage.history.entities.some(
        (entity) =>
          entity.kind === kind &&
          (pushed.ids.size === 0 || pushed.ids.has(entity.last.id) || pushed.ids.has(entity.id)),
      ),
    )
    return { about: about!, kinds, history, holdsValues: pushed.holdsValues }
  }
}

/** What was found out about a connector. */
interface Findings {
  readonly about: ConnectorDescription
  readonly kinds: readonly EntityKind[]
  readonly history: HistoryOptions
  readonly holdsValues: boolean
}

/** A history in which most entities pass the connector's filter, and nothing happens that it is told to overlook. */
function historyFor({ filter, on, hooks, hasLists }: ConnectorDescription): HistoryOptions {
  const { maxTlp, minTlp, minScore, labels } = filter
  const isWithin = tlpNames.filter(
    (tlp) =>
      (maxTlp === undefined || compareTlp(tlp, maxTlp) <= 0) &&
      (minTlp === undefined || compareTlp(tlp, minTlp) >= 0),
  )
  const outside = tlpNames.filter((tlp) => !isWithin.includes(tlp)).slice(0, 1)
  const isWithdrawing = hasLists || ['delete', 'flush', 'replaceAll'].some((hook) => hooks.includes(hook))
  const withdrawals: readonly Happening[] = ['delete', 'merge', 'leave', 'return', 'revoke', 'expire']
  return {
    labels: [...labels.all, ...labels.any.slice(0, 1)],
    markings: [...isWithin, ...outside],
    minScore: isWithdrawing ? 1 : (minScore ?? 1),
    without: isWithdrawing
      ? [
          ...(on.revoked === 'skip' ? (['revoke'] as const) : []),
          ...(on.expired === 'skip' ? (['expire'] as const) : []),
        ]
      : withdrawals,
  }
}

/** What the connector's state says. */
interface Pushed {
  /** Ids of the entities that were pushed, or claim a value: STIX ids and OpenCTI ids. */
  readonly ids: ReadonlySet<string>
  readonly holdsValues: boolean
}

async function pushedIds(stage: AcceptanceStage): Promise<Pushed> {
  const ids = new Set<string>()
  let holdsValues = false
  await stage.withStore('read-only', async (store) => {
    for (const { key, stixId } of await store.entities({ limit: 10_000 })) ids.add(stixId).add(key)
    const claims = await store.claims({ limit: 10_000 })
    for (const { entity } of claims) ids.add(entity)
    holdsValues = claims.length > 0
  })
  return { ids, holdsValues }
}
