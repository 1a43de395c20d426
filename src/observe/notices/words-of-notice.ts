import { type ConnectorNotice, type ConnectorState } from '../../contract/notices.ts'
import { type ReconcileReport } from '../../contract/reconcile-report.ts'
import { type LogAttributes } from '../../util/logger.ts'
import { type NoticeWords } from './notice-words.ts'
import { wordsOfStreamNotice } from './words-of-stream-notice.ts'

type NoticeOf<Kind extends ConnectorNotice['kind']> = Extract<ConnectorNotice, { kind: Kind }>

/** Words for every notice. A new kind of notice needs an entry here and nothing else. */
const table: {
  readonly [Kind in ConnectorNotice['kind']]: (notice: NoticeOf<Kind>) => NoticeWords
} = {
  stream: ({ notice }) => wordsOfStreamNotice(notice),
  'stream-lost': ({ reason }) => ({
    level: 'error',
    message: 'The live stream has delivered nothing new for two minutes; still reconnecting',
    attributes: { reason },
  }),
  'stream-restored': () => ({ level: 'info', message: 'The live stream is back' }),
  standby: ({ leader }) => ({
    level: 'info',
    message: 'Another copy of this connector leads; this one takes over when that one stops',
    attributes: { leader },
  }),
  'lease-lost': ({ error }) => ({
    level: 'error',
    message:
      'Another copy of this connector has taken over. This one abandons its work, which the other copy does again, and waits for its turn',
    attributes: { error: error.message },
    error: { what: 'lease lost', text: error.message },
  }),
  state: ({ state }) => ({ level: 'info', message: stateWords[state] }),
  'caught-up': ({ position }) => ({
    level: 'info',
    message: 'Catch-up complete: received everything that existed. Reading live from now on',
    attributes: { position },
  }),
  gap: ({ from, firstAvailable, isRepaired }) => ({
    level: 'error',
    message: isRepaired
      ? 'The platform no longer holds events that were not received. Fetching again what still exists; deletions in the gap are lost'
      : 'The platform no longer holds events that were not received, and recovery is off: they are lost',
    attributes: { from, first_available: firstAvailable },
    error: {
      what: 'gap in the stream',
      text: `The platform no longer has the events between ${from} and ${firstAvailable}; ${
        isRepaired ? 'what still exists is fetched again' : 'it is lost, because recovery is off'
      }`,
    },
  }),
  'catch-up-refused': ({ from }) => ({
    level: 'error',
    message:
      'The platform cannot catch up this stream, because it has origin filters. The connector receives new events only, not what existed before',
    attributes: { from },
  }),
  'catch-up-stalled': () => ({
    level: 'error',
    message:
      'The catch-up makes no progress: the connection was cut before it delivered anything new. Check for a proxy or load balancer with a short timeout between the connector and the platform',
    error: { what: 'catch-up', text: 'The connection was dropped before it delivered anything new' },
  }),
  'position-in-future': ({ from, beginsAt }) => ({
    level: 'error',
    message:
      'The start position is in the future. Reading from the newest events instead. Check the connector state, CONNECTOR_LIVE_STREAM_START_TIMESTAMP, and the clocks',
    attributes: { from, begins_at: beginsAt },
    error: { what: 'position in the future', text: `Reading from ${beginsAt} instead of ${from}` },
  }),
  'clock-off': (notice) => {
    const message = clockWords(notice)
    return {
      level: 'error',
      message,
      attributes: { clock: notice.clock, ahead_ms: Math.round(notice.aheadMs) },
      error: { what: 'clock', text: message },
    }
  },
  paused: ({ reason, route }) => ({
    level: 'error',
    message: 'The target is down; pausing. Nothing is lost',
    attributes: { reason, ...named(route) },
    error: { what: `${route === undefined ? 'target' : `route ${route}`} down`, text: reason },
  }),
  refusing: ({ reason, route }) => ({
    level: 'error',
    message:
      'The target refuses every event; pausing. Nothing is lost: refused events are retried once the target accepts one',
    attributes: { reason, ...named(route) },
    error: { what: route === undefined ? 'all refused' : `all refused by route ${route}`, text: reason },
  }),
  resumed: ({ route }) => ({
    level: 'info',
    message: 'The target is back; continuing',
    attributes: named(route),
  }),
  'hook-overdue': ({ hook, entityIds, limitMs, route }) => ({
    level: 'error',
    message: `${hook}() exceeded its time limit and ignores its signal. Its entity waits until the hook returns, because it may still take effect. Pass context.signal to the target's client`,
    attributes: { entity_ids: entityIds, limit_ms: limitMs, ...named(route) },
  }),
  'asked-to-wait': ({ forMs, reason, entityId, route }) => ({
    level: 'warn',
    message: 'The target asked for a pause; sending nothing until it is over',
    attributes: { seconds: Math.round(forMs / 1000), reason, entity_id: entityId, ...named(route) },
    error: { what: 'asked to wait', text: reason, entityId },
  }),
  'hook-hangs': ({ hook, entityId, forMs, route, isAll }) => ({
    level: isAll ? 'error' : 'warn',
    message: isAll
      ? 'All running hooks hang; nothing else starts until one returns'
      : 'A hook hangs; its entity waits, others continue',
    attributes: {
      hook,
      entity_id: entityId,
      running_seconds: Math.round(forMs / 1000),
      ...named(route),
    },
    error: {
      what: `${hook} hangs`,
      text: `It has not ended${isAll ? ', and nothing else can start' : ''}. Set CONNECTOR_HOOK_TIMEOUT_MS, or a time limit in the hook.`,
      entityId,
    },
  }),
  'dead-lettered': ({ entityId, position, error, route }) => ({
    level: 'error',
    message: 'Event saved to dead letter queue',
    attributes: { entity_id: entityId, position, error, ...named(route) },
    error: { what: 'dead letter', text: error, entityId },
  }),
  reset: ({ from, was }) => ({
    level: 'error',
    message: 'Connector state has been remotely reset',
    attributes: { from, was },
    error: {
      what: 'state reset',
      text: `Someone reset or edited the state on the platform: restarting from ${from} instead of ${was}`,
    },
  }),
  moved: ({ own, found }) => ({
    level: 'error',
    message:
      'Another client wrote a position for this connector to the platform. Is another deployment running with the same CONNECTOR_ID? Continuing from our own position and restoring it on the platform',
    attributes: { own, found },
    error: {
      what: 'position moved',
      text: `Another client replaced ${own} with ${found} on the platform; continuing from our own position`,
    },
  }),
  'second-copy': ({ host, isCertain, agoMs = 0 }) =>
    isCertain
      ? {
          level: 'error',
          message:
            'A second copy of this connector is running with the same CONNECTOR_ID, and both deliver. Stop one of them, or give it its own CONNECTOR_ID. Continuing from our own position',
          attributes: { host },
          error: {
            what: 'second copy',
            text: `Another copy of this connector is running with its CONNECTOR_ID, on ${host}`,
          },
        }
      : {
          level: 'warn',
          message:
            'The state on the platform comes from a process that this state folder does not know and that never reported a clean stop. Either that process was killed and its folder was lost, moved, or restored from a backup, or it is a second copy of this connector. If it is still running, an error follows within two minutes',
          attributes: { host, written_seconds_ago: Math.round(agoMs / 1000) },
        },
  'start-in-future': ({ text }) => ({
    level: 'error',
    message: text,
    error: { what: 'start in the future', text },
  }),
  'state-unreadable': ({ error: { message } }) => ({
    level: 'error',
    message,
    error: { what: 'state on the platform', text: message },
  }),
  'ping-failed': ({ error: { message } }) => ({
    level: 'warn',
    message: 'The platform does not answer pings; continuing without them',
    attributes: { error: message },
    error: { what: 'ping', text: message },
  }),
  'ping-restored': () => ({ level: 'info', message: 'The platform answers pings again' }),
  'lookups-failed': ({ error }) => ({
    level: 'error',
    message: 'The platform does not answer lookups: events that need them wait',
    attributes: { error: error.message },
  }),
  'lookups-restored': () => ({ level: 'info', message: 'The platform answers lookups again' }),
  'state-not-written': ({ error: { message } }) => ({
    level: 'error',
    message: 'The state cannot be written; reading pauses until it can',
    attributes: { error: message },
    error: { what: 'state not written', text: message },
  }),
  'state-restored': () => ({ level: 'info', message: 'The state can be written again' }),
  'state-not-read': ({ error: { message } }) => ({
    level: 'error',
    message: 'Part of the id map cannot be read: events of those entities wait until it can',
    attributes: { error: message },
    error: { what: 'state not read', text: message },
  }),
  'state-readable': () => ({
    level: 'info',
    message: 'The id map can be read again',
  }),
  'snapshot-failed': ({ reason, route }) => ({
    level: 'error',
    message: 'The target did not accept the list and keeps its current one; retrying',
    attributes: { reason, ...named(route) },
    error: {
      what: route === undefined ? 'list not taken' : `list of route ${route} not taken`,
      text: reason,
    },
  }),
  'snapshot-restored': ({ route }) => ({
    level: 'info',
    message: 'The target accepted the list',
    attributes: named(route),
  }),
  'dead-letters-not-read': ({ error: { message } }) => ({
    level: 'error',
    message:
      'Dead letters cannot be read: events continue, but not every dead letter can be listed, replayed, or exported. Export the id map and the dead letters that can be read, move the state file away, import the id map, and restart. A reset on the platform then fetches what is missing',
    attributes: { error: message },
    error: { what: 'dead letters not read', text: message },
  }),
  'dead-letters-readable': () => ({ level: 'info', message: 'All dead letters can be read again' }),
  'links-refused': ({ error }) => ({
    level: 'error',
    message: 'Links to the target cannot be written to the platform; retrying later',
    attributes: { error: error.message },
  }),
  'links-restored': () => ({
    level: 'info',
    message: 'Links to the target are written to the platform again',
  }),
  'link-failed': ({ entityId, error }) => ({
    level: 'warn',
    message: 'Link to the target skipped',
    attributes: { entity_id: entityId, error },
  }),
  'unhandled-error': ({ error, stack, atWork, isGoingOn }) => ({
    level: 'error',
    message: isGoingOn
      ? "Unhandled promise rejection: the connector's code lacks an await. Continuing"
      : 'Uncaught error; saving and stopping',
    attributes: { error, at_work: atWork, stack },
    error: { what: 'not caught by the connector', text: error },
  }),
  'claims-unknown': ({ isToldAgain }) => ({
    level: isToldAgain ? 'warn' : 'error',
    message: isToldAgain
      ? 'The state was lost, including the entities that claim each item in the target. The platform sends everything again; until that is done, the connector deletes nothing from the target'
      : 'The connector does not know which entities claim the items in the target, and catch-up is off. It will not delete older items when their entities are deleted, and may delete a value that several entities share together with the first of them. Enable catch-up (CONNECTOR_LIVE_STREAM_RECOVER, CONNECTOR_LIVE_STREAM_START_TIMESTAMP) and reset the connector state on the platform',
  }),
  'claims-known': ({ isCleared }) => ({
    level: isCleared ? 'info' : 'error',
    message: isCleared
      ? 'Received everything again: the claims on each item are known, and items without a claim were deleted'
      : 'Received everything again, but could not delete the items without a claim. The next comparison does that (CONNECTOR_RECONCILE_EVERY_MS)',
  }),
  reconciled: ({ report }) => reportWords(report),
  'reconcile-failed': ({ error }) => ({
    level: 'error',
    message: 'Reconcile failed; retrying at the next scheduled time',
    attributes: { error: error.message },
  }),
}

/** Words for a notice. */
export function wordsOfNotice(notice: ConnectorNotice): NoticeWords {
  return (table[notice.kind] as (notice: ConnectorNotice) => NoticeWords)(notice)
}

/** The route, if there is one. */
function named(route: string | undefined): LogAttributes {
  return route === undefined ? {} : { route }
}

const stateWords: Readonly<Record<ConnectorState, string>> = {
  idle: 'Connector is idle',
  starting: 'Connector is starting',
  standby: 'Connector is on standby',
  running: 'Connector is running',
  stopping: 'Connector is stopping',
  stopped: 'Connector has stopped',
  failed: 'Connector has failed',
}

const clockSubjects: Readonly<Record<NoticeOf<'clock-off'>['clock'], string>> = {
  connector: 'The clock of this machine is',
  'web-server': "The clock of the platform's web server is",
  database: "The clock of the platform's database (Redis) is",
}

function clockWords({ clock, aheadMs }: NoticeOf<'clock-off'>): string {
  const other = clock === 'connector' ? "the platform's" : 'the other clocks'
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const order = aheadMs > 0 ? 'ahead of' : 'behind'
  return `${clockSubjects[clock]} ${seconds} s ${order} ${other}. No events are lost, but times differ. Set the clock by NTP`
}

function reportWords(report: ReconcileReport): NoticeWords {
  const { gone, missing, orphans, refused, orphanIds, startedAtMs: _, ...counts } = report
  const attributes = { gone, missing, orphans, ...counts }
  if (refused.length > 0) {
    return {
      level: 'error',
      message:
        'Reconcile found more differences than it may repair on its own. Check that the token still sees everything and that the target lists everything, then call reconcile({ force: true })',
      attributes: { refused, ...attributes },
    }
  }
  if (gone + missing + orphans === 0)
    return { level: 'info', message: 'Reconcile found no differences', attributes }
  return {
    level: 'warn',
    message: 'Reconcile found differences and repaired them',
    attributes: { ...attributes, ...(orphans > 0 && { orphan_ids: orphanIds.slice(0, 10) }) },
  }
}
