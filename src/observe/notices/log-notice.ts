import { type StreamNotice } from '../../stream/stream-notice.ts'
import { type Logger } from '../../util/logger.ts'
import { type ConnectorNotice, type ConnectorState } from '../../contract/notices.ts'
import { describeClock } from './describe-clock.ts'
import { type ReconcileReport } from '../../contract/reconcile-report.ts'

/** Says a notice in the log, in words. */
export function logNotice(logger: Logger, notice: ConnectorNotice): void {
  switch (notice.kind) {
    case 'stream':
      logStream(logger, notice.notice)
      return
    case 'stream-lost':
      logger.error('No connection to the live stream has brought anything new for two minutes; trying on', {
        reason: notice.reason,
      })
      return
    case 'stream-restored':
      logger.info('The live stream is there again')
      return
    case 'state':
      logger.info(stateWords[notice.state])
      return
    case 'caught-up':
      logger.info('Everything that existed at the start has been received; live from now on', {
        position: notice.position,
      })
      return
    case 'gap':
      logger.error(
        notice.isRepaired
          ? 'The platform no longer holds events that were not seen. What still exists is fetched again; deletions in the gap are lost'
          : 'The platform no longer holds events that were not seen, and recovery is off: they are lost',
        { from: notice.from, first_available: notice.firstAvailable },
      )
      return
    case 'catch-up-refused':
      logger.error(
        'The platform does not catch up this stream, because it has origin filters: its events from here on are all that is received, not what existed before',
        { from: notice.from },
      )
      return
    case 'catch-up-stalled':
      logger.error(
        'The catch-up does not advance: the connection was cut before it brought anything new. Look for a proxy or load balancer with a short time limit between connector and platform',
      )
      return
    case 'position-in-future':
      logger.error(
        'The position to begin at is in the future. Reading begins at the newest events instead; check the state of the connector, CONNECTOR_LIVE_STREAM_START_TIMESTAMP and the clocks',
        { from: notice.from, begins_at: notice.beginsAt },
      )
      return
    case 'clock-off':
      logger.error(describeClock(notice), { clock: notice.clock, ahead_ms: Math.round(notice.aheadMs) })
      return
    case 'paused':
      logger.error('The target is down: pausing, nothing is lost', {
        reason: notice.reason,
        ...named(notice),
      })
      return
    case 'refusing':
      logger.error(
        'Every event is refused: pausing, nothing is lost. What was put aside is tried again when events are taken',
        { reason: notice.reason, ...named(notice) },
      )
      return
    case 'resumed':
      logger.info('The target is back: going on', named(notice))
      return
    case 'hook-overdue':
      logger.error(
        `${notice.hook}() does not end although its time is over and its signal was aborted. Its entity waits until it ends, since its effect may still come. Hand context.signal on to the client of the target`,
        { entity_ids: notice.entityIds, limit_ms: notice.limitMs, ...named(notice) },
      )
      return
    case 'asked-to-wait':
      logger.warn('The target asked to wait: nothing is sent until then', {
        seconds: Math.round(notice.forMs / 1000),
        reason: notice.reason,
        entity_id: notice.entityId,
        ...named(notice),
      })
      return
    case 'hook-hangs': {
      const { hook, entityId, forMs, isAll } = notice
      const attributes = {
        hook,
        entity_id: entityId,
        running_seconds: Math.round(forMs / 1000),
        ...named(notice),
      }
      if (isAll)
        logger.error('All hooks that may run at a time hang: nothing else starts before one ends', attributes)
      else logger.warn('A hook does not end; its entity waits, others go on', attributes)
      return
    }
    case 'dead-lettered':
      logger.error('Event saved to dead letter queue', {
        entity_id: notice.entityId,
        position: notice.position,
        error: notice.error,
        ...named(notice),
      })
      return
    case 'reset':
      logger.error('Connector state has been remotely reset', { from: notice.from, was: notice.was })
      return
    case 'moved':
      logger.error(
        'Somebody else has written a position for this connector at the platform: is another deployment running with its CONNECTOR_ID? Going on from our own, which is written back',
        { own: notice.own, found: notice.found },
      )
      return
    case 'second-copy':
      if (notice.isCertain)
        logger.error(
          'A second copy of this connector is running with its CONNECTOR_ID, and both deliver: stop one of them, or give it a CONNECTOR_ID of its own. Going on from our own position',
          { host: notice.host },
        )
      else
        logger.warn(
          'The state at the platform was written by a run that the state folder does not know, and that has not said that it ended. A process that was killed leaves that when its folder is lost, moved or restored from a backup; so does a second copy of this connector. If one is running, this is said again as an error within a minute or two',
          { host: notice.host, written_seconds_ago: Math.round((notice.agoMs ?? 0) / 1000) },
        )
      return
    case 'start-in-future':
      logger.error(notice.text)
      return
    case 'state-unreadable':
      logger.error(notice.error.message)
      return
    case 'ping-failed':
      logger.warn('The platform does not answer pings; going on without', { error: notice.error.message })
      return
    case 'ping-restored':
      logger.info('The platform answers pings again')
      return
    case 'lookups-failed':
      logger.error('The platform does not answer look-ups: events that need them wait', {
        error: notice.error.message,
      })
      return
    case 'lookups-restored':
      logger.info('The platform answers look-ups again')
      return
    case 'state-not-written':
      logger.error('The state cannot be written: reading stops until it can', { error: notice.error.message })
      return
    case 'state-not-read':
      logger.error('A part of the id map cannot be read: events of its entities wait until it can', {
        error: notice.error.message,
      })
      return
    case 'state-readable':
      logger.info('All of the id map that was asked for can be read again')
      return
    case 'dead-letters-not-read':
      logger.error(
        'Dead letters cannot be read: events go on, but what was put aside cannot all be listed, replayed or exported. Export what can be read and the id map, move the state file away, import the id map and start again; a reset at the platform then brings what is lost',
        { error: notice.error.message },
      )
      return
    case 'dead-letters-readable':
      logger.info('All dead letters can be read again')
      return
    case 'links-refused':
      logger.error('Links to the target cannot be written to the platform; they wait', {
        error: notice.error.message,
      })
      return
    case 'links-restored':
      logger.info('Links to the target are written to the platform again')
      return
    case 'link-failed':
      logger.warn('A link to the target was left out', { entity_id: notice.entityId, error: notice.error })
      return
    case 'unhandled-error':
      logger.error(
        notice.isGoingOn
          ? 'A promise was rejected that nobody waits for: an await is missing in the connector. Going on'
          : 'An error was thrown where nobody catches it: saving and stopping',
        { error: notice.error, at_work: notice.atWork, stack: notice.stack },
      )
      return
    case 'reconciled':
      logReport(logger, notice.report)
      return
    case 'reconcile-failed':
      logger.error('Target and platform could not be compared; trying again at the next time', {
        error: notice.error.message,
      })
      return
    case 'state-restored':
      logger.info('The state can be written again')
  }
}

/** The route, where there is one. */
function named({ route }: { readonly route?: string | undefined }): { readonly route?: string } {
  return route === undefined ? {} : { route }
}

function logReport(logger: Logger, report: ReconcileReport): void {
  const { gone, missing, orphans, refused, orphanIds, startedAtMs: _, ...counts } = report
  const attributes = { gone, missing, orphans, ...counts }
  if (refused.length > 0) {
    logger.error(
      'The comparison found more differences than it may repair by itself. Look whether the token still sees everything and the target lists everything; then call reconcile({ force: true })',
      { refused, ...attributes },
    )
  } else if (gone + missing + orphans > 0) {
    logger.warn('Target and platform were compared and repaired', {
      ...attributes,
      ...(orphans > 0 && { orphan_ids: orphanIds.slice(0, 10) }),
    })
  } else {
    logger.info('Target and platform were compared: they agree', attributes)
  }
}

const stateWords: Readonly<Record<ConnectorState, string>> = {
  idle: 'Connector is idle',
  starting: 'Connector is starting',
  running: 'Connector is running',
  stopping: 'Connector is stopping',
  stopped: 'Connector has stopped',
  failed: 'Connector has failed',
}

function logStream(logger: Logger, notice: StreamNotice): void {
  switch (notice.kind) {
    case 'connecting':
    case 'flowing':
    case 'resumed':
    case 'reconnecting':
      logger.debug(`Live stream: ${notice.kind}`)
      return
    case 'connected':
      logger.info('Live stream connected')
      return
    case 'ended':
      logger.info('Live stream ended by the server; connecting again', {
        retry_in_ms: Math.round(notice.retryInMs),
      })
      return
    case 'held':
      logger.debug('Live stream held back until there is room', { held_ms: Math.round(notice.heldMs) })
      return
    case 'hung-up':
      logger.info('Live stream given up until there is room', { held_ms: Math.round(notice.heldMs) })
      return
    case 'bursty':
      logger.warn(
        'Heartbeats arrive in bursts: a proxy on the way buffers the stream (nginx: proxy_buffering off)',
      )
      return
    case 'silent':
      logger.error(`Live stream: ${notice.error.message}; connecting again`, {
        retry_in_ms: Math.round(notice.retryInMs),
      })
      return
    case 'refused': {
      // A wait that is not waited is a sign that what refuses is not the platform.
      const level = (notice.retryAfterMs ?? 0) > notice.retryInMs ? 'error' : 'warn'
      logger[level](notice.error.message, { retry_in_ms: Math.round(notice.retryInMs) })
      return
    }
    default:
      logger.warn(notice.error.message, { retry_in_ms: Math.round(notice.retryInMs) })
  }
}
