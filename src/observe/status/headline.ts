import { type ObservedFacts } from '../facts/observed-facts.ts'
import { readiness, type Unreadiness } from '../facts/readiness.ts'

/** How a connector does, for a person who has a moment. */
export interface Headline {
  /** In a word or two. */
  readonly state:
    | 'well'
    | 'catching up'
    | 'behind'
    | 'starting'
    | 'stopping'
    | 'paused: target down'
    | 'disconnected'
    | 'position moved'
    | 'not ready'
  /** `good`: leave it alone; `busy`: it works, and is not where it will be; `bad`: somebody has to look. */
  readonly tone: 'good' | 'busy' | 'bad'
  readonly reason: string
}

/** From here on finished work counts as late, in milliseconds. */
const behindMs = 60_000

/** How the connector does, in one word, and why. */
export function headlineOf(facts: ObservedFacts): Headline {
  const reasons = readiness(facts)
  if (reasons.length > 0) return troubleOf(facts, reasons)
  if (facts.movedPosition !== undefined)
    return {
      state: 'position moved',
      tone: 'bad',
      reason: `Somebody else writes positions for this connector at the platform: ${facts.movedPosition.found}, where ${facts.movedPosition.own} was. Is another deployment running with its CONNECTOR_ID? This one goes on from its own position.`,
    }
  if (facts.stream.isHeldBack)
    return {
      state: 'behind',
      tone: 'busy',
      reason: 'The target is slower than the stream: reading waits until there is room. Nothing is lost.',
    }
  if (facts.catchingUp)
    return {
      state: 'catching up',
      tone: 'busy',
      reason: 'What existed before the first start is still being received.',
    }
  if (facts.lagMs >= behindMs)
    return {
      state: 'behind',
      tone: 'busy',
      reason: 'The stream brings events faster than the target takes them.',
    }
  const { deadLettersKept } = facts
  if (deadLettersKept > 0)
    return {
      state: 'well',
      tone: 'good',
      reason: `Events arrive and reach the target. ${deadLettersKept === 1 ? 'One dead letter waits' : `${deadLettersKept} dead letters wait`} for a decision.`,
    }
  return { state: 'well', tone: 'good', reason: 'Events arrive and reach the target.' }
}

function troubleOf(facts: ObservedFacts, reasons: readonly Unreadiness[]): Headline {
  const reason = sentence(reasons.map((each) => each.reason).join('; '))
  const parts = new Set(reasons.map(({ part }) => part))
  if (facts.state === 'idle' || facts.state === 'starting') return { state: 'starting', tone: 'busy', reason }
  if (facts.state === 'stopping')
    return { state: 'stopping', tone: 'busy', reason: 'It lets work finish, and saves.' }
  if (facts.outage !== undefined)
    return {
      state: 'paused: target down',
      tone: 'bad',
      reason: `${reason} Nothing is lost: the target is probed, and work goes on when it is back.`,
    }
  if (parts.size === 1 && parts.has('stream') && !facts.stream.isConnected)
    return { state: 'disconnected', tone: 'bad', reason }
  return { state: 'not ready', tone: 'bad', reason }
}

/** A reason as a sentence. */
function sentence(text: string): string {
  // An address stays as it is.
  const whole = /^https?:/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`
}
