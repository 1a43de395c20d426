import { plotScript } from './plot-script.ts'
import { skipWords } from './skip-words.ts'
import { toneColors } from './tone-colors.ts'

/**
 * Script of the status page, as browser code: polls `/status` and shows the answer. Received text only ever
 * becomes text nodes; the page's policy (Trusted Types) lets the browser enforce more.
 */
export const script = `
'use strict'
const everyMs = 2000, everyHiddenMs = 10000, silentAfterMs = 6000
const whole = new Intl.NumberFormat('en'), tenth = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const number = (value) => whole.format(Math.round(value))
const rate = (value) => (value < 10 ? tenth : whole).format(value < 10 ? value : Math.round(value))
const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB')
const clip = (words, length) => (words.length > length ? words.slice(0, length) + '…' : words)

function duration(ms) {
  const s = Math.round(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60)
  if (s < 60) return s + ' s'
  if (m < 60) return m + ' min' + (m < 10 && s % 60 > 0 ? ' ' + (s % 60) + ' s' : '')
  return h < 24 ? h + ' h ' + (m % 60) + ' min' : Math.floor(h / 24) + ' d ' + (h % 24) + ' h'
}
const moment = (ms, now) => (Math.abs(now - ms) < 43200000 ? clock(ms) : new Date(ms).toLocaleString('en-GB'))
const seconds = (value) => (value === null ? '> 5 min' : value >= 1 ? value + ' s' : value * 1000 + ' ms')

const fields = new Map([...document.querySelectorAll('[data-field]')].map((node) => [node.dataset.field, node]))
function text(name, value) {
  const node = fields.get(name)
  // Updated only when it changes, so that screen readers do not repeat it.
  if (node.textContent !== value) node.textContent = value
}

const svgNames = new Set(['svg', 'path', 'line', 'text', 'rect'])
function make(name, attributes, ...children) {
  const node = svgNames.has(name) ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
  node.append(...children)
  return node
}

const drawn = new Map()
function list(name, rows, draw, nothing) {
  const known = JSON.stringify(rows)
  // What stays as it is can be selected and copied.
  if (drawn.get(name) === known) return
  drawn.set(name, known)
  const target = document.querySelector('[data-list=' + name + ']')
  const empty = target.tagName === 'TBODY' ? make('tr', {}, make('th', { scope: 'row', colspan: 6 }, nothing)) : make('li', { class: 'quiet' }, nothing)
  target.replaceChildren(...(rows.length === 0 ? [empty] : rows.map(draw)))
}

const skipWords = ${JSON.stringify(skipWords)}
const reconnectWords = { 'reconnecting': 'on purpose', 'hung-up': 'for want of room' }
const wordsOf = (reason) =>
  Object.hasOwn(skipWords, reason) ? skipWords[reason] : reason.startsWith('filter-') ? 'does not pass the filter' : ''

function skipRow([reason, count, share]) {
  const bar = make('span', {})
  bar.style.width = Math.max(1, share * 100) + '%'
  return make('li', {}, make('div', { class: 'split' }, make('code', {}, clip(reason, 120)), make('span', {}, number(count))),
    make('p', { class: 'quiet' }, wordsOf(reason)), make('div', { class: 'bar', 'aria-hidden': 'true' }, bar))
}

// Six columns have no room for more digits; the tooltip shows all of them.
const cell = (value, attributes = {}) =>
  value < 100000 ? make('td', attributes, number(value)) : make('td', { ...attributes, title: number(value) }, short.format(value))

function hookRow([name, { calls, errors, p50Seconds, p95Seconds, p99Seconds }]) {
  const [hook, route] = name.split('@')
  const times = [p50Seconds, p95Seconds, p99Seconds].map((value) => make('td', {}, calls === errors ? '–' : seconds(value)))
  return make('tr', {}, make('th', { scope: 'row' }, hook, ...(route === undefined ? [] : [' ', make('span', { class: 'quiet' }, route)])), cell(calls),
    cell(errors, errors > 0 ? { class: 'count' } : {}), ...times)
}

function routeRow([route, { delivered, skipped, deadLettered, inFlight, retries, outage, refusal, failing }]) {
  const trouble = outage || refusal || failing?.reason
  const state = outage ? 'down' : refusal ? 'all refused' : failing ? 'failing' : 'well'
  return make('tr', {}, make('th', { scope: 'row' }, clip(route, 60)), make('td', trouble ? { class: 'count', title: trouble } : {}, state),
    ...[delivered, skipped, deadLettered, inFlight, retries].map((count) => make('td', {}, number(count))))
}

const showIfAny = (name, rows) => document.querySelector('[data-list=' + name + ']').closest('.if-any').classList.toggle('any', rows.length > 0)

function copyRow({ name, isLeader, isOwn, partitions, delivered, skipped, deadLettered, inFlight, outage }) {
  const state = outage ? (isLeader ? 'reads the stream; ' : '') + clip(outage, 60) : isLeader ? 'reads the stream' : 'works'
  return make('tr', {}, make('th', { scope: 'row' }, clip(name, 80) + (isOwn ? ' (this one)' : '')), make('td', outage ? { class: 'count', title: outage } : {}, state),
    ...[partitions.length, delivered, skipped, deadLettered, inFlight].map((count) => make('td', {}, number(count))))
}

function showCopies(cluster) {
  const copies = cluster === null ? [] : cluster.copies
  list('copies', copies, copyRow, '')
  showIfAny('copies', copies)
  if (cluster === null) return
  const sum = (name) => number(copies.reduce((total, copy) => total + copy[name], 0))
  text('clusterNote', 'Together: ' + sum('delivered') + ' delivered, ' + sum('skipped') + ' skipped, ' + sum('deadLettered') + ' dead letters. ' +
    cluster.ownedPartitions + ' of ' + cluster.partitions + ' partitions have an owner. ' +
    (cluster.leader === undefined ? 'No copy reads the stream.' : number(cluster.unfinished ?? 0) + ' events are read and not finished.'))
}

function errorRow({ what, text, entityId, count, at }) {
  return make('li', {}, make('div', { class: 'split quiet' }, make('span', {}, what), make('span', {}, (count > 1 ? number(count) + ' × · ' : '') + at)),
    make('p', { title: text }, text), ...(entityId === undefined ? [] : [make('code', { class: 'quiet' }, entityId)]))
}

function letterRow({ id, entityId, entityType, eventType, attempts, error, at }) {
  return make('li', {}, make('div', { class: 'split quiet' }, make('span', {}, 'no. ' + id + ' · ' + eventType + ' · ' + entityType + ' · ' + (attempts === 1 ? '1 attempt' : attempts + ' attempts')), make('span', {}, at)),
    make('p', { title: error }, error), make('code', { class: 'quiet' }, entityId))
}

function oldestRow({ entityId, entityType, kind, attempts, lastFailure, since }) {
  const progress = attempts === 0 ? 'waits for its turn' : attempts === 1 && lastFailure === '' ? 'its first attempt is running' : attempts + (attempts === 1 ? ' attempt' : ' attempts') + ' so far'
  return make('li', {}, make('div', { class: 'split' }, make('span', {}, kind + ' · ' + entityType), make('span', {}, 'since ' + since)),
    make('code', {}, entityId), make('p', { class: 'quiet' }, progress + (lastFailure === '' ? '' : '. Last: ' + clip(lastFailure, 300))))
}
${plotScript}
function showCounters({ received, delivered, skipped, deadLettered, inFlight }) {
  const parts = { delivered, skipped, deadLettered, inFlight }
  for (const [name, value] of Object.entries(parts)) {
    text(name === 'inFlight' ? 'inFlightCount' : name, number(value))
    document.querySelector('[data-share=' + name + ']').style.flexBasis = (received === 0 ? 0 : (value / received) * 100) + '%'
  }
  text('received', number(received))
  const sum = delivered + skipped + deadLettered + inFlight
  text('balance', sum === received ? '✓ ' + Object.values(parts).map(number).join(' + ') + ' = ' + number(received) + ': every event received is in one of these.' : 'The counters do not balance: what became of events adds up to ' + number(sum) + '.')
  fields.get('balance').classList.toggle('wrong', sum !== received)
}

function showTiles(status) {
  const { throughput, oldestWaiting, hooks } = status
  const now = (name) => (throughput[name].slice(-3).reduce((sum, value) => sum + value, 0) / Math.max(1, throughput[name].slice(-3).length)) / (throughput.everyMs / 1000)
  const isCatchingUp = status.catchingUp || status.headline.state === 'catching up'
  text('lag', isCatchingUp ? '–' : duration(status.lagMs))
  text('lagMore', isCatchingUp ? 'unknown while catching up' : 'behind the newest event')
  text('inFlight', number(status.inFlight))
  text('inFlightMore', oldestWaiting === null ? 'nothing waits' : 'oldest for ' + duration(oldestWaiting.waitingMs))
  text('rate', rate(now('delivered') + now('skipped') + now('deadLettered')) + '/s')
  text('rateMore', rate(now('received')) + '/s received')
  const [most] = Object.entries(status.skippedByReason).sort((one, other) => other[1] - one[1])
  const share = status.received === 0 ? 0 : (100 * status.skipped) / status.received
  text('skippedShare', (share > 0 && share < 1 ? '< 1' : number(share)) + ' %')
  text('skippedMore', most === undefined ? 'nothing so far' : 'mostly ' + clip(most[0], 40))
  text('retries', number(status.retries))
  text('retriesMore', 'since the start')
  text('deadLettersKept', number(status.deadLettersKept))
  text('deadLettersMore', number(status.deadLettered) + ' since the start')
  document.getElementById('tile-deadLettersKept').classList.toggle('alert', status.deadLettersKept > 0)
}

function showLists(status) {
  const { nowMs } = status
  const reasons = Object.entries(status.skippedByReason).sort((one, other) => other[1] - one[1])
  const rest = reasons.slice(6).reduce((sum, [, count]) => sum + count, 0)
  const rows = rest === 0 ? reasons : [...reasons.slice(0, 6), [reasons.length - 6 + ' more reasons', rest]]
  list('skips', rows.map(([reason, count]) => [reason, count, count / status.skipped]), skipRow, 'Nothing was skipped.')
  list('hooks', Object.entries(status.hooks).map(([hook, { recent }]) => [hook, recent]), hookRow, 'No hook was called yet.')
  const routes = Object.entries(status.routes)
  list('routes', routes, routeRow, '')
  showIfAny('routes', routes)
  showCopies(status.cluster)
  const { oldestWaiting } = status
  const oldest = oldestWaiting === null ? [] : [{ ...oldestWaiting, waitingMs: 0, since: moment(Math.round((nowMs - oldestWaiting.waitingMs) / 1000) * 1000, nowMs) }]
  list('oldest', oldest, oldestRow, 'Nothing waits.')
  list('errors', status.lastErrors.map((error) => ({ ...error, at: moment(error.lastAtMs, nowMs) })), errorRow, 'None since the start.')
  list('letters', status.newestDeadLetters.map((letter) => ({ entityId: 'unknown entity', entityType: 'unknown type', ...letter, at: moment(letter.lastAtMs, nowMs) })), letterRow, 'There are none.')
}

function showConnections({ stream, pings, checkpointAgeMs, position, nowMs, uptimeMs, name }) {
  text('name', name)
  text('uptime', 'up for ' + duration(uptimeMs))
  text('asOf', clock(nowMs))
  text('stream', (stream.connected ? 'connected' : stream.heldBack ? 'held back' : 'not connected') + ' for ' + duration(stream.forMs))
  text('reconnects', Object.entries(stream.reconnects).map(([reason, count]) => number(count) + ' ' + (Object.hasOwn(reconnectWords, reason) ? reconnectWords[reason] : reason)).join(', ') || 'none')
  text('pings', number(pings.total) + ', ' + number(pings.errors) + ' failed')
  text('saved', duration(checkpointAgeMs) + ' ago')
  text('position', position)
}

const icon = document.querySelector('link[rel=icon]')
const colors = ${JSON.stringify(toneColors)}
function showHeadline(name, { state, tone, reason }, since) {
  text('state', state)
  text('reason', reason)
  if (document.body.dataset.tone !== tone) icon.href = icon.href.replace(/%23[0-9a-f]{6}/, '%23' + colors[tone])
  document.body.dataset.tone = tone
  text('since', since)
  document.title = state + ' · ' + name
}

function sinceOf({ pausedForMs, failingForMs, stream }) {
  if (pausedForMs > 0) return 'paused for ' + duration(pausedForMs)
  if (failingForMs > 0) return 'target failing for ' + duration(failingForMs)
  return stream.connected || stream.heldBack ? '' : 'no stream for ' + duration(stream.forMs)
}

let answeredMs = Date.now()
async function look() {
  try {
    const response = await fetch('status', { cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(5000) })
    if (!response.ok) throw new Error('status ' + response.status)
    const status = await response.json()
    answeredMs = Date.now()
    document.body.classList.remove('stale')
    showHeadline(status.name, status.headline, sinceOf(status))
    showTiles(status)
    showCounters(status)
    showLists(status)
    showConnections(status)
    samples = status.throughput
    drawPlot()
  } catch {
    if (Date.now() - answeredMs > silentAfterMs) {
      document.body.classList.add('stale')
      showHeadline(fields.get('name').textContent, { state: 'no answer', tone: 'bad', reason: 'The connector has not answered since ' + clock(answeredMs) + '. Everything below is from that time.' }, '')
    }
  }
  setTimeout(look, document.hidden ? everyHiddenMs : everyMs)
}
document.addEventListener('visibilitychange', () => { if (!document.hidden) drawPlot() })
document.body.classList.add('live')
look()
`
