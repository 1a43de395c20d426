import { type ObservedFacts } from '../facts/observed-facts.ts'
import { channelsOf, troubleText } from '../facts/channels.ts'
import { durationText } from '../facts/duration-text.ts'
import { hangingText, readiness, type Unreadiness } from '../facts/readiness.ts'

/** A connector's condition at a glance. */
export interface Headline {
  /** In a word or two. */
  readonly state:
    | 'well'
    | 'catching up'
    | 'behind'
    | 'starting'
    | 'standby'
    | 'stopping'
    | 'paused: target down'
    | 'paused: all refused'
    | 'failing'
    | `route ${string}`
    | `routes ${string}`
    | 'hooks hang'
    | 'list not taken'
    | 'asked to wait'
    | 'nothing delivered yet'
    | 'disconnected'
    | 'second copy'
    | 'position moved'
    | 'not ready'
  /** `good`: leave it alone; `busy`: working, but not done; `bad`: needs attention. */
  readonly tone: 'good' | 'busy' | 'bad'
  readonly reason: string
}

/** Lag from which finished work counts as late, in milliseconds. */
const behindMs = 60_000

/** Shortest pause to mention, in milliseconds. */
const longPauseMs = 10_000

/** The connector's condition in one word, and why. */
export function headlineOf(facts: ObservedFacts): Headline {
  const reasons = readiness(facts)
  if (reasons.length > 0) return troubleOf(facts, reasons)
  if (facts.state === 'standby')
    return {
      state: 'standby',
      tone: 'good',
      reason: `Another copy of this connector leads (${facts.leader ?? 'unknown'}). This one takes over when that one stops.`,
    }
  if (facts.secondCopy !== undefined)
    return {
      state: 'second copy',
      tone: 'bad',
      reason: `A second copy of this connector is running with its CONNECTOR_ID, on ${facts.secondCopy}. Both deliver. Stop one of them, or give it its own CONNECTOR_ID. This one continues from its own position.`,
    }
  if (facts.movedPosition !== undefined)
    return {
      state: 'position moved',
      tone: 'bad',
      reason: `Another client writes positions for this connector to the platform: ${facts.movedPosition.found} replaced ${facts.movedPosition.own}. Is another deployment running with its CONNECTOR_ID? This one continues from its own position.`,
    }
  if (facts.stream.isHeldBack)
    return {
      state: 'behind',
      tone: 'busy',
      reason: 'The target is slower than the stream: reading pauses until there is room. Nothing is lost.',
    }
  // First, because it explains late work or an endless catch-up.
  const busy = waitOf(facts)
  if (busy !== undefined) return { tone: 'busy', ...busy }
  if (facts.catchingUp)
    return {
      state: 'catching up',
      tone: 'busy',
      reason: 'The connector is still receiving what existed before its first start.',
    }
  const { deadLettersKept, inFlight } = facts
  if (facts.isCatchUpUnfinished && inFlight > 0)
    return {
      state: 'catching up',
      tone: 'busy',
      reason: `The whole catch-up has been received; ${inFlight === 1 ? 'one event is' : `${inFlight} events are`} still in flight to the target.`,
    }
  if (facts.lagMs >= behindMs)
    return {
      state: 'behind',
      tone: 'busy',
      reason: 'The stream delivers events faster than the target accepts them.',
    }
  if (deadLettersKept > 0)
    return {
      state: 'well',
      tone: 'good',
      reason: `Events arrive and reach the target. ${deadLettersKept === 1 ? 'One dead letter is waiting' : `${deadLettersKept} dead letters are waiting`} for a decision.`,
    }
  return { state: 'well', tone: 'good', reason: `Events arrive and reach the target.${shareOf(facts)}` }
}

/** What this copy does of the work that several share. */
function shareOf({ cluster }: ObservedFacts): string {
  if (cluster === undefined) return ''
  const own = cluster.copies.find(({ isOwn }) => isOwn)?.partitions.length ?? 0
  const does = cluster.isLeader ? 'reads the stream and works' : 'works'
  return ` This copy ${does} on ${own} of ${cluster.partitions} partitions; ${cluster.copies.length} ${cluster.copies.length === 1 ? 'copy shares' : 'copies share'} the work.`
}

function troubleOf(facts: ObservedFacts, reasons: readonly Unreadiness[]): Headline {
  const reason = sentence(reasons.map((each) => each.reason).join('; '))
  const parts = new Set(reasons.map(({ part }) => part))
  if (facts.state === 'idle' || facts.state === 'starting') return { state: 'starting', tone: 'busy', reason }
  if (facts.state === 'stopping')
    return { state: 'stopping', tone: 'busy', reason: 'Finishing work and saving.' }
  const state = targetStateOf(facts)
  if (state !== undefined) return { state, tone: 'bad', reason: `${reason}${consequenceOf(facts)}` }
  if (facts.hanging().isAll) return { state: 'hooks hang', tone: 'bad', reason }
  if (facts.snapshots.some(({ problem }) => problem !== undefined))
    return {
      state: 'list not taken',
      tone: 'bad',
      reason: `${reason} Changes are kept, and the list is retried.`,
    }
  if (parts.size === 1 && parts.has('stream') && !facts.stream.isConnected)
    return { state: 'disconnected', tone: 'bad', reason }
  return { state: 'not ready', tone: 'bad', reason }
}

/** Trouble of the target or one of its routes; undefined if there is none. */
function targetStateOf(facts: ObservedFacts): Headline['state'] | undefined {
  const channels = channelsOf(facts)
  const troubled = channels.filter((channel) => troubleText(channel) !== undefined)
  if (troubled.length === 0) return undefined
  const routes = troubled.map(({ route }) => route).filter((route) => route !== undefined)
  const isDown = troubled.every(({ outage }) => outage !== undefined)
  const isRefusing = troubled.every(({ refusal }) => refusal !== undefined)
  if (routes.length === 0 || routes.length === facts.routes.size) {
    if (isDown) return 'paused: target down'
    return isRefusing ? 'paused: all refused' : 'failing'
  }
  const names = routes.map((route) => clip(route)).join(', ')
  const state = isDown ? 'down' : isRefusing ? 'paused: all refused' : 'failing'
  return routes.length === 1 ? `route ${names}: ${state}` : `routes ${names}: ${state}`
}

/** What happens to events in the meantime. */
function consequenceOf(facts: ObservedFacts): string {
  const channels = channelsOf(facts)
  const isDown = channels.some(({ outage }) => outage !== undefined)
  const isRefusing = channels.some(({ refusal }) => refusal !== undefined)
  if (isRefusing)
    return ' Nothing is lost: the connector tries one event at a time, and once the target accepts one, delivers the rest, including the dead letters of this run.'
  if (isDown) return ' Nothing is lost: the connector probes the target and continues when it is back.'
  return ' Refused events become dead letters.'
}

/** What a ready connector is still waiting for; undefined if nothing. */
function waitOf(facts: ObservedFacts): Pick<Headline, 'state' | 'reason'> | undefined {
  const [longest, ...others] = facts.hanging().calls
  if (longest !== undefined) {
    const more = others.length === 0 ? '' : `, and ${others.length} more`
    return {
      state: 'hooks hang',
      reason: `A hook hangs: ${hangingText(longest)}${more}. Other entities continue.`,
    }
  }
  for (const { route, askedPause } of channelsOf(facts)) {
    if (askedPause === undefined || askedPause.forMs < longPauseMs) continue
    const where = route === undefined ? 'The target' : `Route ${clip(route)}`
    return {
      state: 'asked to wait',
      reason: `${where} asked to wait, for another ${durationText(askedPause.forMs)}: ${askedPause.reason} (${askedPause.entityId}).`,
    }
  }
  if (facts.delivered === 0 && facts.deadLettered > 0)
    return {
      state: 'nothing delivered yet',
      reason: `Events arrive, but none has reached the target yet: ${facts.deadLettered === 1 ? 'one became a dead letter' : `${facts.deadLettered} became dead letters`}.`,
    }
  return undefined
}

/** Authors may choose route names of any length. */
const clip = (name: string) => (name.length > 40 ? `${name.slice(0, 39)}…` : name)

/** Turns a reason into a sentence. */
function sentence(text: string): string {
  // Keeps a URL as is.
  const whole = /^https?:/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`
}
