import { type OwnUser } from '../contract/own-user.ts'
import { type PlatformError } from '../errors/platform-error.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { AdaptiveLimit } from '../flow/adaptive-limit.ts'
import { type CallHook, type DeliveryFeature } from '../events/delivery-feature.ts'
import { type Operation } from '../events/operation.ts'
import { type LinkFacts } from '../observe/facts/observed-facts.ts'
import { type EntityLink, type PlatformKnowledge } from '../lookups/platform-knowledge.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { octiIdOf } from '../stix/read/entity-ids.ts'
import { externalReferencesOf } from '../stix/read/entity-text.ts'
import { type StateStore } from '../store/state-store.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { delay } from '../util/delay.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { LinkEchoes, sameReference } from './link-echoes.ts'
import { PendingLinks, type PendingLink } from './pending-links.ts'

/** Maximum number of parallel writes; adapts to what the platform handles well. */
const maxAtOnce = 16

/** Pause after a permission error, which only a person can fix, in milliseconds. */
const refusedMs = 10 * 60_000

/** Attempts per link that fails on its own: someone else's write may lock the entity. */
const maxAttempts = 3

const unreachableBounds = { baseMs: 1000, maxMs: 60_000 }

/** Types that cannot have external references. */
const bareTypes: ReadonlySet<string> = new Set([
  'external-reference',
  'label',
  'kill-chain-phase',
  'marking-definition',
])

/**
 * Writes links to the target back to the platform. Pending links are stored in the commit that also remembers
 * the entity, so a crash loses none. No event waits for them.
 */
export class LinkQueue implements DeliveryFeature {
  readonly #options: LinkQueueOptions
  readonly #pending = new PendingLinks((count) => this.#fail(undefined, unreadableLinks(count)))
  readonly #echoes = new LinkEchoes()
  readonly #outcomes = new Map([
    ['written', 0],
    ['failed', 0],
  ])
  readonly #limit: AdaptiveLimit
  /** Something may be possible now that was not before. */
  readonly #woken = new Condition()
  #writing = 0
  /** Consecutive failures of the platform. */
  #failures = 0
  /** Nothing is written until then, on the monotonic clock. */
  #restsUntilMs = 0
  #isRefused = false

  constructor(options: LinkQueueOptions) {
    this.#options = options
    this.#limit = new AdaptiveLimit(maxAtOnce, options.clock)
  }

  /** Whether there is a `link` hook. */
  get isAsked(): boolean {
    return this.#options.hooks.link !== undefined
  }

  facts(): LinkFacts {
    return { outcomes: this.#outcomes, pending: this.#pending.size }
  }

  /** Loads the pending links of earlier runs. */
  open(store: StateStore): Promise<void> {
    return this.#pending.open(store)
  }

  /** Values to save with the next commit. @param isUnsure whether the last commit may have failed. */
  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    return this.#pending.values(isUnsure)
  }

  /** For an entity that is new in the target: calls the hook, and stores the answer until it is written. */
  taken(operation: Operation, externalId: string | undefined, callHook: CallHook): Promise<void> | undefined {
    const isToAsk = this.isAsked && operation.isFirst && !bareTypes.has(operation.entity.type)
    return isToAsk ? this.#ask(operation, externalId, callHook) : undefined
  }

  async #ask({ entity, key }: Operation, externalId: string | undefined, callHook: CallHook): Promise<void> {
    try {
      const answer = await callHook('link', () => this.#options.hooks.link!(externalId, entity))
      if (answer === undefined || answer === null) return
      const reference = referenceOf(answer)
      if (reference === undefined) throw badReference()
      if (externalReferencesOf(entity).some((each) => sameReference(each, reference))) return
      const id = octiIdOf(entity) ?? entity.id
      await this.#pending.add(key, { id, type: entity.type, attempts: 0, reference })
      this.#woken.notifyAll()
      this.#options.checkpointer.touch()
    } catch (error) {
      this.#fail(entity.id, error)
    }
  }

  /** A link to the entity's former place would lead nowhere. */
  lost({ key }: Operation): void {
    if (this.#pending.remove(key)) this.#options.checkpointer.touch()
  }

  /** Whether an event only reports what we wrote. Anything else by the same user is that user's own work. */
  isEcho(event: StreamEvent): boolean {
    const own = this.#options.ownUser.id
    return own !== undefined && event.envelope.origin?.user_id === own && this.#echoes.matches(event)
  }

  /** Writes pending links, as many in parallel as the platform handles well, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    if (!this.isAsked && this.#pending.size === 0) return
    while (!signal.aborted) {
      try {
        const restMs = this.#restsUntilMs - clock.monotonic()
        if (restMs > 0) await delay(clock, restMs, signal)
        const woken = this.#woken.wait()
        // After a failure, a single write finds out whether the platform is back.
        const limit = this.#failures > 0 ? 1 : this.#limit.limit
        const next = this.#writing < limit ? await this.#pending.take() : undefined
        if (next === undefined) await raceWithSignal(signal, () => woken)
        else void this.#write(next, signal)
      } catch (error) {
        // The state is unreadable, which everything else waits for, too.
        if (!signal.aborted) this.#rest(backoffMs(++this.#failures, unreachableBounds, this.#options.random))
        if (!signal.aborted && this.#failures === 1) this.#fail(undefined, error)
      }
    }
  }

  async #write([key, link]: [string, PendingLink], signal: AbortSignal): Promise<void> {
    const { knowledge, checkpointer, onNotice } = this.#options
    this.#writing++
    this.#limit.started(link)
    // Before the write, because the echo can arrive before the answer.
    this.#echoes.expect(link.id, link.reference)
    try {
      await knowledge.link(link, link.reference, signal)
      this.#limit.worked(link)
      this.#pending.done(key, link)
      this.#count('written')
      if (this.#isRefused) onNotice({ kind: 'links-restored' })
      this.#isRefused = false
      this.#failures = 0
      checkpointer.touch()
    } catch (error) {
      if (!signal.aborted) this.#failed(key, link, error)
    } finally {
      this.#writing--
      this.#woken.notifyAll()
    }
  }

  #failed(key: string, link: PendingLink, error: unknown): void {
    const { random, checkpointer, onNotice } = this.#options
    const code = isStreamConnectorError(error) ? error.code : undefined
    if (code === 'PLATFORM_UNREACHABLE' || code === 'PLATFORM_REFUSED') {
      this.#limit.pushedBack(link)
      this.#pending.giveBack(key, link)
      // Writes that were in flight at the same time add nothing new.
      if (this.#restsUntilMs > this.#options.clock.monotonic()) return
      this.#failures++
      this.#rest(
        code === 'PLATFORM_REFUSED' ? refusedMs : backoffMs(this.#failures, unreachableBounds, random),
      )
      if (code === 'PLATFORM_UNREACHABLE') return
      if (!this.#isRefused) onNotice({ kind: 'links-refused', error: refused(error as PlatformError) })
      this.#isRefused = true
      return
    }
    this.#limit.ended(link)
    this.#failures = 0
    if (link.attempts + 1 < maxAttempts) this.#pending.giveBack(key, link, link.attempts + 1)
    else if (this.#pending.done(key, link)) this.#fail(link.id, error)
    checkpointer.touch()
  }

  #rest(restMs: number): void {
    this.#restsUntilMs = this.#options.clock.monotonic() + restMs
  }

  #fail(entityId: string | undefined, error: unknown): void {
    this.#count('failed')
    this.#options.onNotice({ kind: 'link-failed', entityId, error: describeError(error) })
  }

  #count(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
  }
}

export interface LinkQueueOptions {
  /** Read at each call, because the hook can be a field. */
  readonly hooks: Pick<ConnectorHooks, 'link'>
  readonly knowledge: PlatformKnowledge
  readonly clock: Clock
  readonly random: Random
  readonly ownUser: OwnUser
  readonly checkpointer: { touch(): void }
  readonly onNotice: (notice: ConnectorNotice) => void
}

function refused(error: PlatformError): StreamConnectorError {
  if (error.problem !== 'forbidden') return error
  return new StreamConnectorError(
    'PLATFORM_REFUSED',
    'The OpenCTI platform does not let the token\'s user add external references. Give the user the capability "Create / Update knowledge" (KNOWLEDGE_KNUPDATE), or remove the link hook.',
    { cause: error },
  )
}

/** Longest field of a reference, in characters: any number of them may be stored. */
const maxFieldLength = 4096

/**
 * Normalizes a hook's answer for storage; undefined if it is not a reference. Many targets have numeric ids.
 */
function referenceOf(answer: unknown): EntityLink | undefined {
  if (typeof answer !== 'object') return undefined
  const { source_name, url, external_id } = answer as Readonly<Record<string, unknown>>
  const id = Number.isFinite(external_id) ? String(external_id) : external_id
  const isText = (value: unknown) =>
    value === undefined || value === null || (typeof value === 'string' && value.length <= maxFieldLength)
  if (typeof source_name !== 'string' || source_name === '') return undefined
  if (![source_name, url, id].every(isText)) return undefined
  return {
    source_name,
    url: (url ?? undefined) as string | undefined,
    external_id: (id ?? undefined) as string | undefined,
  }
}

function unreadableLinks(count: number): StreamConnectorError {
  return new StreamConnectorError(
    'STATE_CORRUPT',
    `${count} links waiting to be written to the platform are unreadable in the state and are skipped.`,
  )
}

function badReference(): StreamConnectorError {
  return new StreamConnectorError(
    'HOOK_RESULT',
    `link() returned something that is not an external reference. Return { source_name, url, external_id } with texts of at most ${maxFieldLength} characters, or nothing.`,
  )
}
