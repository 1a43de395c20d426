/** A connector in a process of its own whose author has made mistakes: what they are, the name of an entity says. */
import { setTimeout as delay } from 'node:timers/promises'
import { StreamConnector, nameOf, type Entity } from '../../src/index.ts'

const target = process.env['CRASH_TARGET']!

async function failsLater(): Promise<never> {
  await delay(5)
  throw new Error('nobody waits for me')
}

class CarelessConnector extends StreamConnector {
  static override readonly defaults = { name: 'Careless', concurrency: 2, filter: { types: ['indicator'] } }

  transform(entity: Entity): Entity {
    return entity
  }

  override async create(entity: Entity): Promise<void> {
    const name = nameOf(entity)
    if (name === 'floating') void failsLater()
    if (name === 'thrown') setTimeout(() => failing(), 5)
    if (name === 'hanging') await hang()
    if (name !== 'plain') await delay(100)
    await fetch(target, { method: 'POST', body: name })
  }

  override async close(): Promise<void> {
    if (process.env['CLOSE_HANGS'] !== undefined) await hang()
  }
}

function hang(): Promise<never> {
  console.error('hangs now')
  return new Promise(() => {})
}

function failing(): never {
  throw new Error('nobody catches me')
}

await CarelessConnector.run()
