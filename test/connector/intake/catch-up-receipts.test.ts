import { expect, test } from 'vitest'
import { Ledger, type Ticket } from '../../../src/checkpoint/ledger.ts'
import { CatchUpReceipts } from '../../../src/connector/intake/catch-up-receipts.ts'
import { startOfTime } from '../../../src/opencti/position.ts'

const at = (ms: number) => ({ ms, seq: 0 })

function catchingUp(untilMs = 1_000_000) {
  const ledger = new Ledger({ from: startOfTime, catchUpUntilMs: untilMs })
  return { ledger, receipts: new CatchUpReceipts(ledger) }
}

test('knows what the connection before has brought, and nothing else', () => {
  const { ledger, receipts } = catchingUp()
  for (const ms of [5, 3, 4]) expect(receipts.receive(at(ms), `create:${ms}`, true)).toBeDefined()
  ledger.reconnected()
  for (const ms of [5, 3, 4]) expect(receipts.receive(at(ms), `create:${ms}`, true)).toBeUndefined()
  // It was changed meanwhile, or it never came.
  expect(receipts.receive(at(6), 'create:5', true)).toBeDefined()
  expect(receipts.receive(at(4), 'create+:4', false)).toBeDefined()
})

test('what is known holds the position back no longer, what came first does', () => {
  const { ledger, receipts } = catchingUp(100)
  const ticket = receipts.receive(at(5), 'create:a', true)!
  ledger.reconnected()
  receipts.receive(at(5), 'create:a', true)
  ledger.heartbeat(at(1000))
  expect(ledger.safe).toEqual(startOfTime)
  receipts.settle(ticket)
  expect(ledger.safe.ms).toBeGreaterThanOrEqual(100)
})

test('live events are the business of the ledger', () => {
  const { receipts } = catchingUp(100)
  receipts.receive(at(50), 'create:a', true)
  expect(receipts.receive(at(200), 'update:a', true)).toBeDefined()
  expect(receipts.receive(at(200), 'update:a', true)).toBeDefined()
})

test('remembers what can come again, however long the catch-up is, and no more', () => {
  const count = 60_000
  const { ledger, receipts } = catchingUp()
  const tickets: Ticket[] = []
  for (let ms = 1; ms <= count; ms++) tickets.push(receipts.receive(at(ms), `create:${ms}`, true)!)
  ledger.reconnected()
  const from = ledger.resume.ms
  expect(from).toBeGreaterThan(count - 10_000)
  for (let ms = from; ms <= count; ms++)
    expect(receipts.receive(at(ms), `create:${ms}`, true)).toBeUndefined()
  // Long behind where a connection can begin.
  expect(receipts.receive(at(10), 'create:10', true)).toBeDefined()
})

test('many dependencies of few objects are not remembered without bound', () => {
  const { receipts } = catchingUp()
  for (let index = 0; index < 150_000; index++) receipts.receive(at(1), `create+:${index}`, false)
  expect(receipts.receive(at(1), 'create+:149999', false)).toBeUndefined()
  expect(receipts.receive(at(1), 'create+:0', false)).toBeDefined()
})
