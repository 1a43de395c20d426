import { describe, expect, test } from 'vitest'
import { ManualClock } from 'opencti-stream-connector/testing'
import { hasRedis } from '../fixtures/redis-server.ts'
import { Copies, ownedBy } from './copies.ts'

describe.skipIf(!hasRedis)('the copies of a cluster', () => {
  test('share the partitions evenly, and one leads', async () => {
    const copies = await Copies.start(7)
    const one = await copies.join('one')
    await one.beat()
    expect(ownedBy(one)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(one.leading).toBeDefined()

    const two = await copies.join('two')
    await two.beat()
    expect(two.leading).toBeUndefined()
    expect(two.group).toMatchObject({ leader: 'one', copies: 2 })
    expect(two.group.reports.get('one')).toBe('report of one')
    expect(ownedBy(two)).toEqual([])
    await one.beat()
    expect(one.surplus).toBe(3)
    for (const partition of [4, 5, 6]) await one.giveBack(partition)
    await one.beat()
    await two.beat()
    expect(ownedBy(one)).toEqual([0, 1, 2, 3])
    expect(ownedBy(two)).toEqual([4, 5, 6])
    expect([one.surplus, two.surplus]).toEqual([0, 0])
    // What was given back was left in order.
    expect([...two.partitions].map(({ cutOffSinceMs }) => cutOffSinceMs)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('take over what a copy that is not heard of had, and know that it was cut off', async () => {
    const copies = await Copies.start(4)
    const beganMs = Date.now()
    const one = await copies.join('one')
    await one.beat()
    const two = await copies.join('two')
    await copies.forget(one, 'one')
    await two.beat()
    expect(ownedBy(two)).toEqual([0, 1, 2, 3])
    expect(two.leading).toBeDefined()
    expect(Number(two.leading!.token)).toBeGreaterThan(Number(one.leading!.token))
    for (const { cutOffSinceMs } of two.partitions) {
      expect(cutOffSinceMs).toBeGreaterThanOrEqual(beganMs - 1)
      expect(cutOffSinceMs).toBeLessThanOrEqual(Date.now())
    }
    expect(one.lost.aborted).toBe(false)
    await one.beat()
    expect(one.lost.reason).toMatchObject({ code: 'STATE_LOST' })
    expect(one.isHeld).toBe(false)
    await one.leave()
    await two.beat()
    expect(ownedBy(two)).toEqual([0, 1, 2, 3])
  })

  test('go on with leases that ran out while nobody else took them', async () => {
    const copies = await Copies.start(2)
    const one = await copies.join('one')
    await one.beat()
    const tokens = [...one.partitions].map(({ token }) => token)
    await copies.forget(one, 'one')
    await one.beat()
    expect(one.lost.aborted).toBe(false)
    expect([...one.partitions].map(({ token }) => token)).toEqual(tokens)
    expect(await copies.server.command('GET', copies.keys.owner(1))).toBe('one')
  })

  test('start nothing from a fifth of the lease before its end, by their own clocks, until they are renewed', async () => {
    const copies = await Copies.start()
    const clock = new ManualClock()
    const one = await copies.join('one', clock)
    await one.beat()
    expect(one.isHeld).toBe(true)
    expect(one.whenHeld()).toBeUndefined()
    await clock.advance(47_999)
    expect(one.isHeld).toBe(true)
    await clock.advance(1)
    expect(one.isHeld).toBe(false)
    const held = one.whenHeld()
    await one.beat()
    await held
    expect(one.isHeld).toBe(true)
  })

  test('know a lease as over when the machine slept and only its wall clock went on', async () => {
    const copies = await Copies.start()
    let asleepMs = 0
    const clock = new ManualClock()
    const one = await copies.join('one', {
      now: () => clock.now() + asleepMs,
      monotonic: () => clock.monotonic(),
      schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    })
    expect(one.isHeld).toBe(true)
    asleepMs = 60_000
    expect(one.isHeld).toBe(false)
  })

  test('start over when Redis has lost everything', async () => {
    const copies = await Copies.start()
    const one = await copies.join('one')
    const two = await copies.join('two')
    await one.beat()
    await two.beat()
    await copies.server.command('FLUSHALL')
    const anew = await copies.join('three')
    await anew.beat()
    await one.beat()
    await two.beat()
    expect([one.lost.aborted, two.lost.aborted]).toEqual([true, true])
    expect(ownedBy(anew)).toEqual([0, 1, 2, 3])
    expect(Number(anew.leading!.token)).toBeGreaterThan(Number(one.leading!.token))
  })

  test('take nothing for a lease time after Redis has lost everything, because others may not know yet', async () => {
    const copies = await Copies.start()
    const clock = new ManualClock()
    const one = await copies.join('one', clock)
    const two = await copies.join('two', clock)
    await one.beat()
    await copies.server.command('FLUSHALL')
    await two.beat()
    expect(two.lost.aborted).toBe(true)
    // By its clock and by what it has heard.
    expect(one.isHeld).toBe(true)
    const again = await copies.join('two again', clock, copies.partitions, two)
    await clock.advance(59_999)
    await again.beat()
    expect([again.leading, ownedBy(again)]).toEqual([undefined, []])
    expect(one.isHeld).toBe(false)
    await clock.advance(1)
    await again.beat()
    expect(again.leading).toBeDefined()
    expect(ownedBy(again)).toEqual([0, 1, 2, 3])
  })

  test('take nothing for a lease time after their connection was lost, because Redis may have forgotten leases', async () => {
    const copies = await Copies.start()
    const clock = new ManualClock()
    const one = await copies.join('one', clock)
    await one.beat()
    const two = await copies.join('two', clock)
    await copies.forget(one, 'one')
    await copies.server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    // One may fail, and one may wait for the next connection.
    for (let beat = 0; beat < 3; beat++) await two.beat()
    expect([two.leading, ownedBy(two), two.group.copies]).toEqual([undefined, [], 1])
    await clock.advance(60_000)
    await two.beat()
    expect(two.leading).toBeDefined()
    expect(ownedBy(two)).toEqual([0, 1, 2, 3])
  })

  test('give everything back when they leave, and are no longer counted', async () => {
    const copies = await Copies.start()
    const one = await copies.join('one')
    await one.beat()
    const two = await copies.join('two')
    await two.beat()
    one.retire()
    await one.beat()
    await two.beat()
    expect(two.group.copies).toBe(1)
    expect(ownedBy(two)).toEqual([])
    await one.leave()
    await two.beat()
    expect(ownedBy(two)).toEqual([0, 1, 2, 3])
    expect(two.leading).toBeDefined()
    expect([...two.partitions].every(({ cutOffSinceMs }) => cutOffSinceMs === undefined)).toBe(true)
  })

  test('refuse another number of partitions', async () => {
    const copies = await Copies.start(4)
    await copies.join('one')
    await expect(copies.join('two', undefined, 8)).rejects.toMatchObject({
      code: 'STATE_FOREIGN',
      message: expect.stringContaining('has 4 partitions, and CONNECTOR_CLUSTER_PARTITIONS') as string,
    })
  })
})
