import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { version } from '../../src/util/version.ts'

test('the package has the version of package.json', () => {
  const { version: stated } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as {
    version: string
  }
  expect(version).toBe(stated)
})
