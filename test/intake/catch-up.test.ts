import { expect, test } from 'vitest'
import { type CatchUpNotes } from '../../src/checkpoint/catch-up-notes.ts'
import { Ledger, type Ticket } from '../../src/checkpoint/ledger.ts'
import { CatchUp } from '../../src/intake/catch-up.ts'
import { startOfTime } from '../../src/util/position.ts'

const at = (ms: number) => ({ ms, seq: 0 })

function catchingUp(untilMs = 1_000_000) {
  const ledger = new Ledger({ from: startOfTime, catchUpUntilMs: untilMs })
  const keeper = { catchUpNotes: {} as CatchUpNotes }
  const catchUp = new CatchUp(ledger, keeper)
  const reconnect = () => {
    catchUp.breakOff(true)
    ledger.reconnected()
    return catchUp.open()
  }
  return { ledger, keeper, catchUp, reconnect, firstEndMs: catchUp.open() }
}

test('knows exactly what the previous connection brought', () => {
  const { catchUp, reconnect } = catchingUp()
  for (const ms of [5, 3, 4]) expect(catchUp.receive(at(ms), `create:${ms}`, true)).toBeDefined()
  reconnect()
  for (const ms of [5, 3, 4]) expect(catchUp.receive(at(ms), `create:${ms}`, true)).toBeUndefined()
  // It was changed meanwhile, or it never came.
  expect(catchUp.receive(at(6), 'create:5', true)).toBeDefined()
  expect(catchUp.receive(at(4), 'create+:4', false)).toBeDefined()
})

test('known objects no longer hold the position back, but the first new one does', () => {
  const { ledger, catchUp, reconnect } = catchingUp(100)
  const ticket = catchUp.receive(at(5), 'create:a', true)!
  reconnect()
  catchUp.receive(at(5), 'create:a', true)
  catchUp.beginLiveAt(at(90))
  while (!catchUp.finishPiece(0)) catchUp.open()
  expect(ledger.safe).toEqual(startOfTime)
  catchUp.settle(ticket)
  expect(ledger.safe).toEqual(at(90))
})

test('leaves live events to the ledger', () => {
  const { catchUp } = catchingUp(100)
  catchUp.receive(at(50), 'create:a', true)
  while (!catchUp.finishPiece(0)) catchUp.open()
  expect(catchUp.receive(at(200), 'update:a', true)).toBeDefined()
  expect(catchUp.receive(at(200), 'update:a', true)).toBeDefined()
})

test('asks for everything, then for smaller pieces after a cut, and keeps their size', () => {
  const { ledger, keeper, catchUp, reconnect, firstEndMs } = catchingUp()
  expect(firstEndMs).toBe(1_000_000)
  for (let ms = 1000; ms < 101_000; ms += 1000) catchUp.receive(at(ms), `create:${ms}`, true)
  expect(reconnect()).toBe(50_000)
  for (let ms = 1000; ms <= 50_000; ms += 1000) catchUp.receive(at(ms), `create:${ms}`, true)
  expect(catchUp.finishPiece(1000)).toBe(false)
  expect(ledger.resume).toEqual(at(50_001))
  expect(keeper.catchUpNotes.pace?.objects).toBeGreaterThanOrEqual(50)
  const next = new CatchUp(new Ledger({ from: at(50_001), catchUpUntilMs: 1_000_000 }), keeper)
  expect(next.open()).toBeLessThan(120_000)
})

test('begins live reading at the earliest place that any connection needed', () => {
  const { ledger, catchUp } = catchingUp(100_000)
  for (const ms of [80_000, 60_000, 70_000]) catchUp.beginLiveAt(at(ms))
  catchUp.finishPiece(0)
  expect(ledger.resume).toEqual(at(60_000))
})

test('remembers a bounded number of dependencies of few objects', () => {
  const { catchUp } = catchingUp()
  const tickets: (Ticket | undefined)[] = []
  for (let index = 0; index < 150_000; index++)
    tickets.push(catchUp.receive(at(1), `create+:${index}`, false))
  expect(catchUp.receive(at(1), 'create+:149999', false)).toBeUndefined()
  expect(catchUp.receive(at(1), 'create+:0', false)).toBeDefined()
})
