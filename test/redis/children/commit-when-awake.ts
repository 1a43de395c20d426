import { systemClock } from '../../../src/util/clock.ts'
import { delay } from '../../../src/util/delay.ts'
import { RedisStore } from '../../../src/redis/redis-store.ts'

// Opens the state and commits again and again, also right after it was frozen; tells what became of it.
const store = new RedisStore({ url: process.env['URL']!, copyName: 'frozen', leaseMs: 1000 })
await store.open(process.env['OWNER']!)
const { lease } = store
process.send!({ said: 'open' })
for (let number = 1; ; number++) {
  const sentMs = systemClock.now()
  const wasHeld = lease!.isHeld
  try {
    await store.commit({ values: new Map([['a', `frozen ${number}`]]) })
  } catch (error) {
    process.send!({
      said: 'refused',
      code: (error as { code?: unknown }).code,
      sentMs,
      wasHeld,
      isHeld: lease!.isHeld,
    })
    break
  }
  await delay(systemClock, 5)
}
await store.close()
