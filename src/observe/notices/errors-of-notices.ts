import { type RecentErrors } from '../status/recent-errors.ts'
import { type ConnectorNotice } from '../../contract/notices.ts'
import { describeClock } from './describe-clock.ts'

/** Something that went wrong. */
type Failure = Parameters<RecentErrors['note']>[0]

/** Hands notices on, and tells `note` of what went wrong in them. */
export function notingErrors(
  onNotice: (notice: ConnectorNotice) => void,
  note: (error: Failure) => void,
): (notice: ConnectorNotice) => void {
  return (notice) => {
    const error = errorOfNotice(notice)
    if (error !== undefined) note(error)
    onNotice(notice)
  }
}

/** A notice as something that went wrong; undefined when nothing did. */
function errorOfNotice(notice: ConnectorNotice): Failure | undefined {
  switch (notice.kind) {
    case 'stream':
      return 'error' in notice.notice
        ? { what: `live stream ${notice.notice.kind}`, text: notice.notice.error.message }
        : undefined
    case 'paused':
      return {
        what: `${notice.route === undefined ? 'target' : `route ${notice.route}`} down`,
        text: notice.reason,
      }
    case 'refusing':
      return {
        what: notice.route === undefined ? 'all refused' : `all refused by route ${notice.route}`,
        text: notice.reason,
      }
    case 'asked-to-wait':
      return { what: 'asked to wait', text: notice.reason, entityId: notice.entityId }
    case 'hook-hangs':
      return {
        what: `${notice.hook} hangs`,
        text: `It has not ended${notice.isAll ? ', and nothing else can start' : ''}. Set CONNECTOR_HOOK_TIMEOUT_MS, or a time limit in the hook.`,
        entityId: notice.entityId,
      }
    case 'dead-lettered':
      return { what: 'dead letter', text: notice.error, entityId: notice.entityId }
    case 'gap':
      return {
        what: 'gap in the stream',
        text: `The platform no longer holds what came between ${notice.from} and ${notice.firstAvailable}; ${
          notice.isRepaired ? 'what still exists is fetched again' : 'it is lost, as recovery is off'
        }`,
      }
    case 'catch-up-stalled':
      return { what: 'catch-up', text: 'The connection was cut before it brought anything new' }
    case 'position-in-future':
      return {
        what: 'position in the future',
        text: `Reading begins at ${notice.beginsAt}, not at ${notice.from}`,
      }
    case 'clock-off':
      return { what: 'clock', text: describeClock(notice) }
    case 'reset':
      return {
        what: 'state reset',
        text: `Somebody reset or edited the state at the platform: it starts from ${notice.from}, and stood at ${notice.was}`,
      }
    case 'moved':
      return {
        what: 'position moved',
        text: `Somebody else has written ${notice.found} at the platform, where ${notice.own} was; going on from our own`,
      }
    case 'second-copy':
      return notice.isCertain
        ? {
            what: 'second copy',
            text: `Another copy of this connector is running with its CONNECTOR_ID, on ${notice.host}`,
          }
        : undefined
    case 'unhandled-error':
      return { what: 'not caught by the connector', text: notice.error }
    case 'ping-failed':
      return { what: 'ping', text: notice.error.message }
    case 'start-in-future':
      return { what: 'start in the future', text: notice.text }
    case 'state-unreadable':
      return { what: 'state at the platform', text: notice.error.message }
    case 'dead-letters-not-read':
      return { what: 'dead letters not read', text: notice.error.message }
    case 'state-not-read':
      return { what: 'state not read', text: notice.error.message }
    case 'state-not-written':
      return { what: 'state not written', text: notice.error.message }
    default:
      return undefined
  }
}
