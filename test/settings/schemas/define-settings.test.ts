import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { type ConnectorSettings } from '../../../src/settings/schemas/connector-settings.ts'
import { defineSettings, type SettingsDefinition } from '../../../src/settings/schemas/define-settings.ts'
import { type OpenctiSettings } from '../../../src/settings/schemas/opencti-settings.ts'
import { type Secret, secret } from '../../../src/util/secret.ts'
import { type SettingsOf } from '../../../src/settings/schemas/settings-of.ts'

test('the sections that every connector has cannot be defined again', () => {
  // @ts-expect-error opencti is taken
  expect(() => defineSettings({ opencti: z.object({}) })).toThrow(/"opencti" already exists/)
  // @ts-expect-error connector is taken
  expect(() => defineSettings({ connector: z.object({}) })).toThrow(/"connector" already exists/)
})

test('two settings never share one environment variable', () => {
  const twice = { my: z.object({ siem_key: z.string() }), my_siem: z.object({ key: z.string() }) }
  expect(() => defineSettings(twice)).toThrow(
    'my_siem.key and my.siem_key would both be read from MY_SIEM_KEY',
  )
  expect(() => defineSettings({ opencti_ssl: z.object({ verify: z.boolean() }) })).toThrow(
    /OPENCTI_SSL_VERIFY/,
  )
  expect(() => defineSettings({ connector_retry: z.object({ attempts: z.int() }) })).toThrow(
    /CONNECTOR_RETRY_ATTEMPTS/,
  )
})

test('refuses a name that cannot be an environment name at once', () => {
  expect(() => defineSettings({ 'my-siem': z.object({}) })).toThrow(/"my-siem"/)
  expect(() => defineSettings({ my_siem: z.object({ 'api key': z.string() }) })).toThrow(/"api key"/)
  expect(() => defineSettings({ my_siem: z.object({ ['__proto__']: z.string() }) })).toThrow(/"__proto__"/)
  // @ts-expect-error a section is an object
  expect(() => defineSettings({ my_siem: z.string() })).toThrow(/must be a z\.object/)
})

test('the type of the settings follows from the definition, read-only all the way down', () => {
  const definition = defineSettings({
    my_siem: z.object({
      url: z.url(),
      key: secret(),
      lists: z.array(z.object({ name: z.string() })).default([]),
      since: z.date().optional(),
    }),
    other: z.strictObject({ on: z.boolean().default(false) }).refine(({ on }) => on),
  })
  type Settings = SettingsOf<typeof definition>
  expectTypeOf<Settings['opencti']>().toEqualTypeOf<OpenctiSettings>()
  expectTypeOf<Settings['connector']>().toEqualTypeOf<ConnectorSettings>()
  expectTypeOf<Settings['my_siem']>().toEqualTypeOf<{
    readonly url: string
    readonly key: Secret
    readonly lists: readonly { readonly name: string }[]
    readonly since?: Date | undefined
  }>()
  expectTypeOf<Settings['other']>().toEqualTypeOf<{ readonly on: boolean }>()
  expectTypeOf<typeof definition>().toExtend<SettingsDefinition>()
})
