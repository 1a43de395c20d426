import * as fc from 'fast-check'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { Queue } from '../../src/util/queue.ts'

describe('a queue', () => {
  it('returns what an array would return', () => {
    const steps = fc.array(fc.option(fc.integer(), { nil: undefined }), { maxLength: 200 })
    fc.assert(
      fc.property(steps, (items) => {
        const queue = new Queue<number>()
        const array: number[] = []
        for (const item of items) {
          if (item === undefined) expect(queue.shift()).toBe(array.shift())
          else {
            queue.push(item)
            array.push(item)
          }
          expect(queue.size).toBe(array.length)
          expect(queue.first).toBe(array[0])
          expect(queue.last).toBe(array.at(-1))
        }
        expect([...queue]).toEqual(array)
      }),
    )
  })

  it('releases its memory even if it is never empty', () => {
    const queue = new Queue<number>()
    queue.push(0)
    for (let index = 1; index <= 100_000; index++) {
      queue.push(index)
      expect(queue.shift()).toBe(index - 1)
    }
    expect([...queue]).toEqual([100_000])
  })

  it('keeps nothing alive that was taken out', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const queue = new Queue<object>()
    const taken = (() => {
      queue.push({})
      queue.push({})
      return new WeakRef(queue.shift()!)
    })()
    // What was made in this turn of the loop stays alive to its end.
    await new Promise((resolve) => setImmediate(resolve))
    gc()
    expect(taken.deref()).toBeUndefined()
    expect(queue.size).toBe(1)
  })
})
