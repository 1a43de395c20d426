import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { itIsAStateStore } from './state-store.conformance.ts'

describe('MemoryStore', () => {
  itIsAStateStore(async () => {
    const store = new MemoryStore()
    return { store, reopen: () => store }
  })

  it('keeps copies, which later changes by the caller do not reach', async () => {
    const store = new MemoryStore()
    await store.open('id')
    const entity = { key: 'k', stixId: 'before' }
    await store.commit({ putEntities: [entity] })
    entity.stixId = 'after'
    expect(store.entity('k')?.stixId).toBe('before')
  })
})
