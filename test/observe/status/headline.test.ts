import { expect, test } from 'vitest'
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
  lagMs: 0,
  behindHeadMs: 0,
  oldestUnfinishedMs: 0,
  queue: () => ({ running: empty, waiting: empty, retrying: empty }),
  outage: undefined,
  failingForMs: 0,
  concurrencyLimit: 8,
  stream: { isConnected: true, isHeldBack: false, forMs: 60_000, reconnects: new Map(), isSuspect: false },
  stateProblem: undefined,
  checkpointAgeMs: 0,
  pings: { total: 0, errors: 0 },
}

const lost = { ...well.stream, isConnected: false }

test.each<[string, string, Partial<ObservedFacts>, RegExp]>([
  ['well', 'good', {}, /reach the target\.$/],
  ['well', 'good', { deadLettersKept: 1 }, /One dead letter waits/],
  ['well', 'good', { lagMs: 59_999 }, /./],
  ['behind', 'busy', { lagMs: 60_000 }, /faster than the target/],
  ['behind', 'busy', { stream: { ...lost, isHeldBack: true } }, /slower than the stream/],
  ['catching up', 'busy', { catchingUp: true, lagMs: 1e9 }, /still being received/],
  [
    'starting',
    'busy',
    { state: 'starting', waitsFor: 'the platform', stream: lost },
    /waits for the platform/,
  ],
  ['stopping', 'busy', { state: 'stopping' }, /saves/],
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
    /writes positions .* 1-0, where 2-0 was\. .*CONNECTOR_ID/,
  ],
  ['not ready', 'bad', { stateProblem: 'the disk is full' }, /^The disk is full\.$/],
  ['not ready', 'bad', { deadLettersKept: 10 }, /no more are allowed/],
  ['not ready', 'bad', { failingForMs: 6000 }, /has not worked for 6 s/],
])('%s (%s): %o', (state, tone, facts, reason) => {
  const headline = headlineOf({ ...well, ...facts })
  expect(headline).toMatchObject({ state, tone })
  expect(headline.reason).toMatch(reason)
})
