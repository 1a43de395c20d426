import { describe, expect, test } from 'vitest'
import { checkSequences, type Lives } from './sequences.ts'
import { type Effect } from './target.ts'
import { type Version } from './versions.ts'

const calm: Lives = { newestAtOpening: new Map(), begunAnew: new Set() }

/** Three states of one record, and its end. */
const versions: readonly Version[] = [
  { position: '1-0', print: 'a' },
  { position: '2-0', print: 'b' },
  { position: '3-0', print: 'c' },
  { position: '4-0', print: undefined },
]

const prints = new Map(versions.map(({ position, print }) => [position, print]))

/** The effect of one of these events in a life, `life:number`; with `told` that state is told as it is. */
function effect(text: string): Effect {
  const [life, number, told] = text.split(':')
  const position = `${number}-0`
  return {
    record: 'r',
    entity: 'r',
    position,
    hook: 'update',
    externalId: undefined,
    isTold: told !== undefined,
    print: prints.get(position),
    life: Number(life),
    answeredAtMs: 1,
    isInDoubt: false,
  }
}

function check(journal: string, lives = calm, skips = false, list = versions) {
  const told = journal === '' ? [] : journal.split(' ').map(effect)
  const { disorders, gaps } = checkSequences(told, new Map([['r', list]]), lives, skips)
  return { disorders: disorders.length, gaps: gaps.length }
}

const fine = { disorders: 0, gaps: 0 }

describe('the sequence check', () => {
  test('accepts each effect once, in one life or in several', () => {
    expect(check('0:1 0:2 0:3 0:4')).toEqual(fine)
    expect(check('0:1 1:2 2:3 3:4')).toEqual(fine)
  })

  test("accepts a repeat of an earlier life's last effects", () => {
    expect(check('0:1 0:2 0:3 1:2 1:3 1:4')).toEqual(fine)
  })

  test('catches an effect that goes back within a life', () => {
    expect(check('0:1 0:3 0:2 0:4').disorders).toBe(1)
  })

  test('catches a create after the delete', () => {
    expect(check('0:1 0:2 0:4 0:3')).toEqual({ disorders: 1, gaps: 1 })
  })

  test('catches a life that goes back to something the platform never sent', () => {
    expect(check('0:1 0:3 1:2 1:3 1:4').disorders).toBe(1)
  })

  test('catches a missing version, and an end that is not the last version', () => {
    expect(check('0:1 0:3 0:4').gaps).toBe(1)
    expect(check('0:1 0:2 0:3').gaps).toBe(2)
    expect(check('').gaps).toBe(3)
  })

  test('accepts a state that includes the versions before it', () => {
    expect(check('0:3:told 0:4')).toEqual(fine)
  })

  test('accepts a newer state that replaces waiting ones only where that is allowed', () => {
    expect(check('0:1 0:3 0:4', calm, true)).toEqual(fine)
    expect(check('0:1 0:2', calm, true, versions.slice(0, 3)).gaps).toBe(2)
  })

  test('accepts everything again after a start from nothing', () => {
    const lives = { ...calm, begunAnew: new Set([1]) }
    expect(check('0:2:told 1:1 1:2 1:3 1:4', lives)).toEqual(fine)
    expect(check('0:2 1:1 1:2 1:3 1:4').disorders).toBe(1)
  })

  test('accepts an older event after the state of a dependency only if the event came after the connection', () => {
    const at = (newest: string) => ({ ...calm, newestAtOpening: new Map([[0, newest]]) })
    expect(check('0:3:told 0:1 0:2 0:3 0:4', at('0-5'))).toEqual(fine)
    expect(check('0:3:told 0:1 0:2 0:3 0:4', at('2-0')).disorders).toBe(1)
  })
})
