import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/checkpoint/ledger.ts'
import { comparePositions, formatPosition, parsePosition } from '../../src/util/position.ts'

const at = (text: string) => parsePosition(text)!
const start = () => new Ledger({ from: at('100000-0') })
const safeOf = (ledger: Ledger) => formatPosition(ledger.safe)

describe('a live stream', () => {
  it("never saves an id before it has seen a greater one, even if the id's only frame is finished", () => {
    const ledger = start()
    ledger.settle(ledger.receive(at('100010-0'), 'create:a')!)
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.heartbeat(at('100010-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.heartbeat(at('100011-0'))
    expect(safeOf(ledger)).toBe('100010-0')
  })

  it('waits for every frame of an id, in whatever order they finish', () => {
    const ledger = start()
    const tickets = ['a', 'b', 'c'].map((member) => ledger.receive(at('100010-0'), member)!)
    const next = ledger.receive(at('100010-1'), 'd')!
    ledger.settle(next)
    for (const ticket of tickets.toReversed()) {
      expect(safeOf(ledger)).toBe('100000-0')
      ledger.settle(ticket)
    }
    expect(safeOf(ledger)).toBe('100010-0')
  })

  it('compares ids as numbers', () => {
    const ledger = new Ledger({ from: at('9-9') })
    ledger.settle(ledger.receive(at('9-10'), 'a')!)
    ledger.settle(ledger.receive(at('10-0'), 'b')!)
    expect(safeOf(ledger)).toBe('9-10')
  })

  it("moves with the heartbeats of a quiet stream, but never past the platform's newest event", () => {
    const ledger = start()
    ledger.heartbeat(at('105000-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.reconnected()
    ledger.connected(at('150000-3'))
    ledger.heartbeat(at('120000-0'))
    expect(safeOf(ledger)).toBe('120000-0')
    ledger.heartbeat(at('200000-0'))
    expect(safeOf(ledger)).toBe('150000-3')
    expect(formatPosition(ledger.resume)).toBe('150000-3')
    ledger.reconnected()
    ledger.heartbeat(at('300000-0'))
    expect(safeOf(ledger)).toBe('150000-3')
  })

  it('stores no heartbeats behind an event that takes a day', () => {
    const ledger = start()
    ledger.connected({ ms: 100_020 + 86_400_000, seq: 0 })
    const slow = ledger.receive(at('100010-0'), 'a')!
    for (let ms = 100_020; ms < 100_020 + 86_400_000; ms += 5000) ledger.heartbeat({ ms, seq: 0 })
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.settle(slow)
    expect(ledger.safe.ms).toBeGreaterThan(86_400_000)
  })

  it('closes a group even after heartbeats of a web server whose clock is behind', () => {
    const ledger = start()
    ledger.settle(ledger.receive(at('100010-0'), 'a')!)
    ledger.heartbeat(at('50000-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.heartbeat(at('55000-0'))
    expect(safeOf(ledger)).toBe('100010-0')
  })

  it('takes a frame that repeats after a reconnect for a duplicate, once, but not its twin', () => {
    const ledger = start()
    expect(ledger.receive(at('100010-0'), 'create+a')).toBeDefined()
    ledger.reconnected()
    expect(formatPosition(ledger.resume)).toBe('100000-0')
    expect(ledger.receive(at('100010-0'), 'create+a')).toBeUndefined()
    expect(ledger.receive(at('100010-0'), 'create+a')).toBeDefined()
    expect(ledger.receive(at('100010-0'), 'update:b')).toBeDefined()
  })

  it.for([
    ['100010-0', 'comes again'],
    ['100005-0', 'is older than all others'],
  ])(
    'holds the position back for a frame that %s after newer ones, and moves on when it is finished',
    ([id]) => {
      const ledger = start()
      for (const each of ['100010-0', '100020-0', '100030-0']) ledger.settle(ledger.receive(at(each), each)!)
      expect(safeOf(ledger)).toBe('100020-0')
      const late = ledger.receive(at(id!), 'late')!
      expect(late).toBeDefined()
      expect(comparePositions(ledger.safe, at(id!))).toBeLessThan(0)
      // What is newer and open stays where it is.
      ledger.settle(ledger.receive(at('100040-0'), 'd')!)
      ledger.settle(late)
      expect(safeOf(ledger)).toBe('100030-0')
      expect(formatPosition(ledger.resume)).toBe('100030-0')
    },
  )

  it("begins earlier if the platform's newest event comes before its position", () => {
    const ledger = new Ledger({ from: at('200000-0') })
    ledger.stepBack(at('150000-0'))
    expect([safeOf(ledger), formatPosition(ledger.resume)]).toEqual(['150000-0', '150000-0'])
    ledger.settle(ledger.receive(at('160000-0'), 'a')!)
    ledger.settle(ledger.receive(at('170000-0'), 'b')!)
    expect(safeOf(ledger)).toBe('160000-0')
  })

  it('holds the place of a frame without an id', () => {
    const ledger = start()
    ledger.connected(at('190000-0'))
    ledger.settle(ledger.receive(at('100010-0'), 'a')!)
    const nameless = ledger.receive(undefined, 'b')!
    ledger.heartbeat(at('200000-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.settle(nameless)
    expect(safeOf(ledger)).toBe('190000-0')
  })
})

describe('a catch-up', () => {
  const catchingUp = () => new Ledger({ from: at('100000-0'), catchUpUntilMs: 200_000 })

  it('moves the position piece by piece, each after the whole piece is finished', () => {
    const ledger = catchingUp()
    const tickets = [150_000, 120_000, 140_000, 110_000].map((ms) =>
      ledger.receive({ ms, seq: 0 }, `create:${ms}`)!,
    )
    for (const ticket of tickets.slice(1)) ledger.settle(ticket)
    ledger.heartbeat(at('900000-0'))
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.endPiece(at('150001-0'))
    expect(formatPosition(ledger.resume)).toBe('150001-0')
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.settle(tickets[0]!)
    expect(safeOf(ledger)).toBe('150001-0')
    expect([ledger.catchingUp, ledger.catchUpUntilMs]).toEqual([true, 200_000])
  })

  it('is unfinished until its last object is finished, even if all were received', () => {
    const ledger = catchingUp()
    const ticket = ledger.receive(at('200000-0'), 'create:a')!
    ledger.endCatchUp(at('90000-0'))
    expect([ledger.catchingUp, ledger.catchUpUntilMs]).toEqual([false, 200_000])
    expect(safeOf(ledger)).toBe('100000-0')
    ledger.settle(ticket)
    expect([safeOf(ledger), ledger.catchUpUntilMs]).toEqual(['90000-0', undefined])
  })

  it('is followed by live events from its end, by the clock of the database', () => {
    const ledger = catchingUp()
    ledger.endCatchUp(at('90000-0'))
    expect(formatPosition(ledger.resume)).toBe('90000-0')
    ledger.settle(ledger.receive(at('90005-0'), 'update:x')!)
    ledger.settle(ledger.receive(at('90006-0'), 'update:y')!)
    expect(safeOf(ledger)).toBe('90005-0')
  })

  it('does not happen if it would end before it begins', () => {
    const ledger = new Ledger({ from: at('100000-0'), catchUpUntilMs: 100_000 })
    expect([ledger.catchingUp, ledger.catchUpUntilMs]).toEqual([false, undefined])
  })

  it('replaces live reading from an earlier position', () => {
    const ledger = start()
    ledger.receive(at('100010-0'), 'a')
    ledger.beginCatchUp(40_000, 300_000)
    expect([ledger.catchingUp, formatPosition(ledger.resume)]).toEqual([true, '40000-0'])
    expect([safeOf(ledger), ledger.catchUpUntilMs]).toEqual(['40000-0', 300_000])
  })

  it('that starts over during another one covers both', () => {
    const ledger = catchingUp()
    ledger.endPiece(at('150000-0'))
    ledger.beginCatchUp(160_000, 300_000)
    expect([formatPosition(ledger.resume), ledger.catchUpUntilMs]).toEqual(['150000-0', 300_000])
    const first = ledger.receive(at('150000-0'), 'a')!
    ledger.beginCatchUp(120_000, 250_000)
    expect([formatPosition(ledger.resume), ledger.catchUpUntilMs]).toEqual(['120000-0', 300_000])
    ledger.endCatchUp(at('280000-0'))
    expect(ledger.catchUpUntilMs).toBe(300_000)
    ledger.settle(first)
    expect([safeOf(ledger), ledger.catchUpUntilMs]).toEqual(['280000-0', undefined])
  })
})
