import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { defineSettings } from '../../src/settings/schemas/define-settings.ts'
import { loadSettings } from '../../src/settings/reading/load-settings.ts'
import { SettingsError } from '../../src/errors/settings-error.ts'
import { secret } from '../../src/util/secret.ts'
import { z } from 'zod'
import { folderWith, minimalEnvironment } from '../fixtures/minimal-environment.ts'

const length = 100_000

/** What makes an expression go over the same text again and again. */
const hostile: Record<string, string> = {
  'line ends': `${'\r\n'.repeat(length / 2)}x`,
  spaces: `${' '.repeat(length)}x`,
  digits: `${'1'.repeat(length)}x`,
  slashes: `https://opencti.example.com/${'/'.repeat(length)}x`,
  dots: `${'.'.repeat(length)}x`,
  dashes: `-----BEGIN ${'-'.repeat(length)}x`,
  'equal signs': `${'='.repeat(length)}x`,
  letters: `${'a'.repeat(length)}!`,
}

const definition = defineSettings({
  my_siem: z.object({
    api_key: secret().optional(),
    text: z.string().optional(),
    count: z.coerce.number().optional(),
    amount: z.number().optional(),
    big: z.bigint().optional(),
    since: z.date().optional(),
    names: z.array(z.string()).optional(),
  }),
})

const names = [
  ...new Set(readFileSync('docs/reference/settings.md', 'utf8').match(/\b(?:OPENCTI|CONNECTOR)_[A-Z_]+\b/g)),
  ...['API_KEY', 'TEXT', 'COUNT', 'AMOUNT', 'BIG', 'SINCE', 'NAMES'].map((name) => `MY_SIEM_${name}`),
]

// What takes the square of the length takes far longer here than a test may.
test.for(Object.entries(hostile))('reads 100,000 %s in every setting in a moment', ([, text]) => {
  expect(names.length).toBeGreaterThan(50)
  const directory = folderWith()
  let read = 0
  for (const name of names) {
    try {
      loadSettings(definition, { env: { ...minimalEnvironment, [name]: text }, directory })
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error
    }
    read++
  }
  expect(read).toBe(names.length)
})
