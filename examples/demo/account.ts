import { type ConnectorStatus, type DeadLetter } from 'opencti-stream-connector'
import { type Comparison } from './compare.ts'
import { inSeconds, type Happenings } from './happenings.ts'
import { widthOf, type Screen } from './screen.ts'
import { type Traffic } from './traffic.ts'

/** What the account is made from. */
export interface AccountOptions {
  readonly screen: Screen
  readonly status: ConnectorStatus
  /** Entities of the platform when the connector started. */
  readonly caughtUp: number
  readonly traffic: Traffic['counts']
  readonly happenings: Happenings
  readonly deadLetters: readonly DeadLetter[]
  readonly comparison: Comparison
  /** How many objects of a bundle met which fate, by type. */
  readonly bundleFates?: ReadonlyMap<string, ReadonlyMap<string, number>> | undefined
}

/** What a reason to skip means to somebody who sees it for the first time. */
const skipReasons: Readonly<Record<string, string>> = {
  'filter-type': 'of a type that this connector does not send',
  duplicate: 'sent twice by the platform around a cut',
  'already-delivered': 'sent twice by the platform around a cut',
  'never-pushed': 'deleted before the SIEM ever had it',
  revoked: 'revoked, and never in the SIEM',
  transform: 'transform() had nothing to send',
}

const meanings: Readonly<Record<string, string>> = {
  delivered: ': in the SIEM, with the same content',
  differs: ': listed below',
  'dead-lettered': ': not in the SIEM, kept with its reason',
  'skipped: filter-type': ', so not in the SIEM',
}

/** How many differences are printed at most. */
const maxDifferences = 20

/** Prints what came in, what became of it, and what the faults cost. */
export function printAccount(options: AccountOptions): void {
  const { screen, status, traffic, caughtUp, happenings, deadLetters, comparison } = options
  const section = (title: string) => screen.line(`\n${screen.style('bold', title)}`)
  const row = (name: string, value: number | string, note = '') => {
    const text = typeof value === 'number' ? value.toLocaleString('en-US') : value
    screen.line(
      `  ${name.padEnd(14)}${text.padStart(7)}${note === '' ? '' : `  ${screen.style('dim', note)}`}`,
    )
  }

  section('What came in')
  row('catch-up', caughtUp, 'entities that the platform held at the start')
  const { creates, updates, deletes, merges } = traffic
  const changes = creates + updates + deletes + merges
  row('live', changes, `${creates} creates, ${updates} updates, ${deletes} deletes, ${merges} merges`)
  const more = status.received - caughtUp - changes
  row(
    'received',
    status.received,
    more > 0 ? `events; ${more} came again: with what refers to them, or around a cut` : 'events',
  )

  section('What became of it')
  row('delivered', status.delivered)
  row('skipped', status.skipped)
  for (const [reason, count] of Object.entries(status.skippedByReason)) {
    row('', count, `${reason}${reason in skipReasons ? `: ${skipReasons[reason]}` : ''}`)
  }
  row('dead letters', status.deadLettered)
  for (const letter of deadLetters)
    row('', '', `${letter.eventType} of ${letter.entityId ?? 'a frame'}: ${letter.error}`)
  row('in flight', status.inFlight)

  section('What the faults cost')
  const { reconnectsMs, pausesMs } = happenings
  row('reconnects', reconnectsMs.length, reconnectsMs.map((ms) => `back after ${inSeconds(ms)}`).join(', '))
  const pausedMs = pausesMs.reduce((sum, ms) => sum + ms, 0)
  row('pauses', pausesMs.length, pausesMs.length === 0 ? '' : `${inSeconds(pausedMs)} in all`)
  row('retries', status.retries, 'calls that failed and were retried')
  row('lost events', comparison.differences.length === 0 ? 0 : 'see below')

  if (options.bundleFates !== undefined) printBundle(screen, options.bundleFates)
  printComparison(screen, comparison)
}

function printBundle(screen: Screen, rows: ReadonlyMap<string, ReadonlyMap<string, number>>): void {
  screen.line(`\n${screen.style('bold', 'What became of the objects of the bundle')}`)
  const width = Math.max(...[...rows.keys()].map(widthOf))
  let total = 0
  for (const [type, fates] of [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const count = [...fates.values()].reduce((sum, value) => sum + value, 0)
    total += count
    const parts = [...fates].map(([fate, value]) => `${value} ${fate}`)
    screen.line(
      `  ${type.padEnd(width)}${String(count).padStart(7)}  ${screen.style('dim', parts.join(', '))}`,
    )
  }
  screen.line(`  ${'all'.padEnd(width)}${String(total).padStart(7)}`)
}

function printComparison(screen: Screen, { fates, differences }: Comparison): void {
  screen.line(`\n${screen.style('bold', 'SIEM and platform, entity by entity')}`)
  const counts = new Map<string, number>()
  for (const fate of fates.values()) counts.set(fate, (counts.get(fate) ?? 0) + 1)
  for (const [fate, count] of counts) {
    screen.line(`  ${count.toLocaleString('en-US').padStart(7)}  ${fate}${meanings[fate] ?? ''}`)
  }
  for (const difference of differences.slice(0, maxDifferences)) {
    screen.line(`  ${screen.style('red', '✖')} ${difference}`)
  }
  if (differences.length > maxDifferences)
    screen.line(`    … and ${differences.length - maxDifferences} more`)
}
