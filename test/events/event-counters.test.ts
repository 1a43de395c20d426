import { expect, test } from 'vitest'
import { RecentEndings } from '../../src/events/event-counters.ts'

test('delivering none of three events, or one of twenty, is failing', () => {
  const endings = new RecentEndings()
  endings.refused('a')
  endings.refused('b')
  expect(endings.failing).toBeUndefined()
  endings.refused('c')
  expect(endings.failing).toEqual({ delivered: 0, refused: 3, reason: 'c' })
  endings.delivered()
  expect(endings.failing).toBeUndefined()
  for (let index = 0; index < 18; index++) endings.refused('d')
  expect(endings.failing).toEqual({ delivered: 1, refused: 19, reason: 'd' })
  endings.delivered()
  expect(endings.failing).toBeUndefined()
})

test('old endings do not hide the present', () => {
  const endings = new RecentEndings()
  for (let index = 0; index < 1000; index++) endings.delivered()
  for (let index = 0; index < 18; index++) endings.refused('now')
  expect(endings.failing).toBeUndefined()
  endings.refused('now')
  expect(endings.failing).toEqual({ delivered: 1, refused: 19, reason: 'now' })
})
