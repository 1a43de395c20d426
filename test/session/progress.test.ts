import { expect, it } from 'vitest'
import { Progress } from '../../src/session/progress.ts'
import { parsePosition } from '../../src/util/position.ts'

const at = (text: string) => parsePosition(text)!

function begun(from: string): Progress {
  const progress = new Progress()
  progress.begin({ startFrom: at(from), recoverUntil: false, foreign: {} })
  return progress
}

it('knows how far ahead the head of the stream is before the first event comes', () => {
  const progress = begun('100000-0')
  expect(progress.behindHeadMs).toBe(0)
  progress.headAt(160_000)
  expect(progress.behindHeadMs).toBe(60_000)
  expect(progress.lagMs).toBe(0)
  progress.seen(150_000)
  expect(progress.behindHeadMs).toBe(10_000)
  progress.seen(170_000)
  expect(progress.behindHeadMs).toBe(0)
  progress.headAhead(5000)
  expect(progress.behindHeadMs).toBe(5000)
})

it('reports nothing for a head half a century after the beginning of time', () => {
  const progress = begun('0-0')
  progress.headAt(1_700_000_000_000)
  expect(progress.behindHeadMs).toBe(0)
})

it.for(['{', '[]', '{"pace":{"spanMs":-1,"objects":"x"}}', '{"live":7}', '[[[['])(
  'continues without unreadable notes of a catch-up: %s',
  (text) => {
    const progress = new Progress()
    progress.knowCatchUp(text)
    expect(progress.catchUpNotes).toEqual({})
  },
)

it('counts from the oldest unfinished event, whatever has finished after it', () => {
  const progress = begun('100000-0')
  const first = progress.ledger.receive(at('110000-0'), 'create:a')!
  const second = progress.ledger.receive(at('120000-0'), 'create:b')!
  progress.seen(120_000)
  progress.ledger.settle(second)
  expect(progress.lagMs).toBe(10_000)
  expect(progress.oldestUnfinishedMs(125_000)).toBe(15_000)
  progress.ledger.settle(first)
  expect(progress.lagMs).toBe(0)
  expect(progress.oldestUnfinishedMs(125_000)).toBe(0)
})
