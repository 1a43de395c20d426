import { expect, test } from 'vitest'
import { nothingHangs } from '../../../src/flow/hanging.ts'
import { headlineOf } from '../../../src/observe/status/headline.ts'
import { type ObservedFacts } from '../../../src/observe/facts/observed-facts.ts'

const empty = { events: 0, bytes: 0 }
const well: ObservedFacts = {
  received: 0,
  delivered: 0,
  skipped: 0,
  deadLettered: 0,
  inFlight: 0,
  skippedByReason: {},
  retries: 0,
  routes: new Map(),
  state: 'running',
  bytesInFlight: 0,
  deadLettersKept: 0,
  maxDeadLetters: 10,
  catchingUp: false,
  isCatchUpUnfinished: false,
  lagMs: 0,
  behindHeadMs: 0,
  oldestUnfinishedMs: 0,
  queue: () => ({ running: empty, waiting: empty, retrying: empty }),
  outage: undefined,
  refusal: undefined,
  pausedForMs: 0,
  askedPause: undefined,
  hanging: () => nothingHangs,
  failingForMs: 0,
  concurrencyLimit: 8,
  stream: { isConnected: true, isHeldBack: false, forMs: 60_000, reconnects: new Map(), isSuspect: false },
  stateProblem: undefined,
  checkpointAgeMs: 0,
  snapshots: [],
  pings: { total: 0, errors: 0 },
}

const lost = { ...well.stream, isConnected: false }

test.each<[string, string, Partial<ObservedFacts>, RegExp]>([
  ['well', 'good', {}, /reach the target\.$/],
  ['well', 'good', { deadLettersKept: 1 }, /One dead letter is waiting/],
  ['well', 'good', { lagMs: 59_999 }, /./],
  ['behind', 'busy', { lagMs: 60_000 }, /faster than the target/],
  ['behind', 'busy', { stream: { ...lost, isHeldBack: true } }, /slower than the stream/],
  ['catching up', 'busy', { catchingUp: true, lagMs: 1e9 }, /still receiving/],
  [
    'catching up',
    'busy',
    { isCatchUpUnfinished: true, inFlight: 7, lagMs: 1e9 },
    /7 events are still in flight/,
  ],
  ['well', 'good', { isCatchUpUnfinished: true }, /reach the target\.$/],
  ['standby', 'good', { state: 'standby', leader: 'pod-1', stream: lost }, /leads \(pod-1\)/],
  [
    'not ready',
    'bad',
    { state: 'standby', leader: 'pod-1', waitsFor: 'the server of its state', stream: lost },
    /waiting for the server of its state/,
  ],
  [
    'starting',
    'busy',
    { state: 'starting', waitsFor: 'the platform', stream: lost },
    /is waiting for the platform/,
  ],
  ['stopping', 'busy', { state: 'stopping' }, /saving/],
  [
    'list not taken',
    'bad',
    {
      snapshots: [
        { route: 'secure', count: 3, takenAtMs: 0, isDirty: true, problem: 'the target answered 413' },
      ],
    },
    /^The list of route secure is not taken: the target answered 413\. Changes are kept/,
  ],
  [
    'paused: target down',
    'bad',
    { outage: 'it answers 503' },
    /^The target is down: it answers 503\. Nothing is lost/,
  ],
  ['paused: target down', 'bad', { outage: 'x', stream: lost }, /not connected; the target is down/],
  [
    'disconnected',
    'bad',
    { stream: { ...lost, problem: 'the token has expired' } },
    /^The token has expired\.$/,
  ],
  [
    'not ready',
    'bad',
    { stream: { ...well.stream, isSuspect: true, problem: 'no complete message for 60 s' } },
    /^No complete message for 60 s\.$/,
  ],
  [
    'disconnected',
    'bad',
    { stream: { ...lost, problem: 'https://opencti.example.org/stream did not open' } },
    /^https:.* did not open\.$/,
  ],
  [
    'position moved',
    'bad',
    { movedPosition: { own: '2-0', found: '1-0' } },
    /writes positions .* 1-0 replaced 2-0\. .*CONNECTOR_ID/,
  ],
  ['not ready', 'bad', { stateProblem: 'the disk is full' }, /^The disk is full\.$/],
  ['not ready', 'bad', { deadLettersKept: 10 }, /limit of .* dead letters is reached/],
  ['not ready', 'bad', { failingForMs: 6000 }, /has not worked for 6 s/],
])('says %s (%s) for %o', (state, tone, facts, reason) => {
  const headline = headlineOf({ ...well, ...facts })
  expect(headline).toMatchObject({ state, tone })
  expect(headline.reason).toMatch(reason)
})

const account = {
  received: 10,
  delivered: 5,
  skipped: 0,
  deadLettered: 0,
  inFlight: 5,
  skippedByReason: {},
  retries: 0,
  concurrencyLimit: 8,
  outage: undefined,
  refusal: undefined,
  pausedForMs: 0,
  askedPause: undefined,
}
const failing = { delivered: 0, refused: 5, reason: 'status 422' }
const call = { entityId: 'indicator--1', entityType: 'indicator', kind: 'create', forMs: 75_000 }
const routes = (...troubles: object[]) => ({
  routes: new Map(
    troubles.map((trouble, index) => [['secure', 'normal'][index]!, { ...account, ...trouble }]),
  ),
})

test.each<[string, string, Partial<ObservedFacts>, RegExp]>([
  ['failing', 'bad', { failing }, /^None of the last 5 events was delivered: status 422\./],
  ['failing', 'bad', { failing: { ...failing, delivered: 1, refused: 19 } }, /^Only 1 of the last 20 events/],
  [
    'paused: all refused',
    'bad',
    { refusal: 'status 422', failing },
    /^Every event is refused: status 422\. Noth/,
  ],
  ['nothing delivered yet', 'busy', { deadLettered: 2 }, /2 became dead letters/],
  [
    'route secure: down',
    'bad',
    routes({ outage: 'refused' }, {}),
    /^Route secure: the target is down: refused/,
  ],
  [
    'route normal: paused: all refused',
    'bad',
    routes({}, { refusal: 'status 422' }),
    /^Route normal: every event/,
  ],
  [
    'paused: target down',
    'bad',
    routes({ outage: 'one' }, { outage: 'two' }),
    /route normal: the target is down: two/,
  ],
  ['failing', 'bad', routes({ outage: 'one' }, { failing }), /none of the last 5/],
  [
    'hooks hang',
    'bad',
    { hanging: () => ({ calls: [call], isAll: true }) },
    /^Nothing else can start: 1 hooks hang, the longest is the create of indicator--1, for 75 s\.$/,
  ],
  [
    'hooks hang',
    'busy',
    { hanging: () => ({ calls: [{ ...call, route: 'secure' }, call], isAll: false }) },
    /create of indicator--1 through route secure, for 75 s, and 1 more\. Other entities continue\.$/,
  ],
  [
    'hooks hang',
    'busy',
    { hanging: () => ({ calls: [call], isAll: false }), lagMs: 75_000, catchingUp: true },
    /^A hook hangs: .* for 75 s\. Other entities continue\.$/,
  ],
  [
    'asked to wait',
    'busy',
    { askedPause: { forMs: 840_000, reason: 'status 429', entityId: 'indicator--1' } },
    /^The target asked to wait, for another 14 min: status 429 \(indicator--1\)\.$/,
  ],
])('%s (%s) follows what is delivered: %o', (state, tone, facts, reason) => {
  const headline = headlineOf({ ...well, ...facts })
  expect(headline).toMatchObject({ state, tone })
  expect(headline.reason).toMatch(reason)
})
