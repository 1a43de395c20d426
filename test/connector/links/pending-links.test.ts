import { expect, test } from 'vitest'
import { PendingLinks, type PendingLink } from '../../../src/connector/links/pending-links.ts'

const linkTo = (externalId: string): PendingLink => ({
  id: 'one',
  type: 'malware',
  attempts: 0,
  reference: { source_name: 'SIEM', external_id: externalId },
})

test('a link that came while an older one of its entity was being written stays', () => {
  const pending = new PendingLinks()
  pending.add('one', linkTo('S1'))
  const [key, older] = pending.first()!
  pending.add('one', linkTo('S2'))
  pending.postpone(key, older)
  expect(pending.first()).toEqual(['one', linkTo('S2')])
  pending.remove(key, older)
  expect(pending.first()).toEqual(['one', linkTo('S2')])
  pending.remove(...pending.first()!)
  expect(pending.size).toBe(0)
})
