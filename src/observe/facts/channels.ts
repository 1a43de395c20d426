import { type Trouble } from '../../flow/engine.ts'
import { type Failing } from '../../events/event-counters.ts'
import { type ObservedFacts } from './observed-facts.ts'

/** One way to the target, and its condition. */
export interface Channel extends Trouble {
  /** Undefined for events without a route. */
  readonly route: string | undefined
  readonly failing?: Failing | undefined
}

/** All ways to the target. With routes, their accounts say more than the total. */
export function channelsOf(facts: ObservedFacts): readonly Channel[] {
  const own = channelOf(undefined, facts)
  if (facts.routes.size === 0) return [own]
  return [
    { ...own, failing: undefined },
    ...[...facts.routes].map(([route, account]) => channelOf(route, account)),
  ]
}

function channelOf(route: string | undefined, how: Omit<Channel, 'route'>): Channel {
  const { outage, refusal, pausedForMs, askedPause, failing } = how
  return { route, outage, refusal, pausedForMs, askedPause, failing }
}

/** Why events are not accepted there; undefined if they are. */
export function troubleText({ route, outage, refusal, failing }: Channel): string | undefined {
  const where = route === undefined ? '' : `route ${route}: `
  if (outage !== undefined) return `${where}the target is down: ${outage}`
  if (refusal !== undefined) return `${where}every event is refused: ${refusal}`
  if (failing === undefined) return undefined
  const { delivered, refused, reason } = failing
  const share = delivered === 0 ? 'none' : `only ${delivered}`
  return `${where}${share} of the last ${delivered + refused} events was delivered: ${reason}`
}

/** The reason for the target as a whole, or for the first affected route. */
export function whyOf(facts: ObservedFacts, what: 'outage' | 'refusal'): string | undefined {
  for (const { route, [what]: why } of channelsOf(facts)) {
    if (why !== undefined) return route === undefined ? why : `route ${route}: ${why}`
  }
  return undefined
}
