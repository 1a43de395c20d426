import { createHash } from 'node:crypto'
import { type HttpAnswer } from '../../http/http-endpoint.ts'
import { type StatusReport } from '../status-report.ts'
import { markup, type FirstState } from './markup.ts'
import { script } from './script.ts'
import { style } from './style.ts'

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Only what is in the page itself may load or run, and it may only fetch our own `/status`. */
const policy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  // The tab icon, whose color shows the state.
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const headers = {
  'content-security-policy': policy,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
}

/** The page at `/`, with the current state; its script takes over from there. */
export function statusPage(report: StatusReport): HttpAnswer & { readonly body: string } {
  return {
    status: 200,
    contentType: 'text/html; charset=utf-8',
    body: markup(firstState(report), style, script),
    headers,
  }
}

/** What browsers show without JavaScript, and before the script's first answer. */
function firstState(report: StatusReport): FirstState {
  const count = new Intl.NumberFormat('en')
  const { headline, nowMs, stream } = report
  const isCatchingUp = report.catchingUp || headline.state === 'catching up'
  return {
    tone: headline.tone,
    state: headline.state,
    reason: headline.reason,
    name: report.name,
    uptime: `up for ${Math.round(report.uptimeMs / 60_000)} min`,
    asOf: `${new Date(nowMs).toISOString().slice(11, 19)} UTC`,
    lag: isCatchingUp ? '–' : `${Math.round(report.lagMs / 1000)} s`,
    lagMore: isCatchingUp ? 'unknown while catching up' : 'behind the newest event',
    inFlight: count.format(report.inFlight),
    inFlightCount: count.format(report.inFlight),
    received: count.format(report.received),
    delivered: count.format(report.delivered),
    skipped: count.format(report.skipped),
    deadLettered: count.format(report.deadLettered),
    since: '',
    retries: count.format(report.retries),
    deadLettersKept: count.format(report.deadLettersKept),
    deadLettersMore: `${count.format(report.deadLettered)} since the start`,
    retriesMore: 'since the start',
    stream: stream.connected ? 'connected' : stream.heldBack ? 'held back' : 'not connected',
    position: report.position,
  }
}
