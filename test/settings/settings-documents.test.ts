import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineSettings } from '../../src/settings/schemas/define-settings.ts'
import { secret } from '../../src/util/secret.ts'
import { fieldsOf } from '../../src/settings/schemas/setting-field.ts'
import { settingsJsonSchema } from '../../src/settings/documents/settings-json-schema.ts'
import { settingsMarkdown } from '../../src/settings/documents/settings-markdown.ts'

const definition = defineSettings({
  my_siem: z.object({
    api_base_url: z.url().describe('Address | of the API.'),
    api_key: secret().describe('Key.').optional(),
    password: secret().prefault('canary'),
    lists: z.array(z.string()).readonly().default(['a']).meta({ description: 'Lists to fill.' }),
    since: z.date().optional(),
    port: z.int().min(1).default(443),
    login: z.object({ user: z.string(), password: secret() }).optional(),
  }),
})

test("the JSON Schema has environment names as keys and follows the catalog's conventions", () => {
  const schema = settingsJsonSchema(definition, { name: 'My SIÉM  (cloud)', defaults: { concurrency: 2 } })
  expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
  expect(schema.$id).toBe('https://www.filigran.io/connectors/my-siem-cloud_config.schema.json')
  expect(schema.additionalProperties).toBe(true)
  expect(schema.required).toEqual([
    'OPENCTI_URL',
    'OPENCTI_TOKEN',
    'CONNECTOR_LIVE_STREAM_ID',
    'MY_SIEM_API_BASE_URL',
  ])
  const { properties } = schema
  expect(properties['CONNECTOR_ID']).toBeUndefined()
  expect(properties['CONNECTOR_NAME']).toMatchObject({ type: 'string', default: 'My SIÉM  (cloud)' })
  expect(properties['CONNECTOR_CONCURRENCY']).toMatchObject({
    type: 'integer',
    minimum: 1,
    maximum: 1024,
    default: 2,
  })
  expect(properties['OPENCTI_TOKEN']).toMatchObject({ type: 'string', format: 'password', writeOnly: true })
  expect(properties['OPENCTI_CUSTOM_HEADERS']).toMatchObject({
    type: 'string',
    format: 'password',
    writeOnly: true,
  })
  expect(properties['MY_SIEM_API_BASE_URL']).toEqual({
    type: 'string',
    format: 'uri',
    description: 'Address | of the API.',
  })
  expect(properties['MY_SIEM_API_KEY']).toEqual({
    type: 'string',
    format: 'password',
    writeOnly: true,
    description: 'Key.',
  })
  expect(properties['MY_SIEM_LISTS']).toEqual({
    type: 'array',
    items: { type: 'string' },
    default: ['a'],
    description: 'Lists to fill.',
  })
  expect(properties['MY_SIEM_SINCE']).toEqual({ type: 'string', format: 'date-time' })
  expect(properties['MY_SIEM_PORT']).toEqual({ type: 'integer', minimum: 1, default: 443 })
  // What holds a secret is text that nobody else reads.
  expect(properties['MY_SIEM_LOGIN']).toEqual({ type: 'string', format: 'password', writeOnly: true })
  expect(JSON.stringify(schema)).not.toContain('canary')
})

test('the Markdown table has one line per setting', () => {
  const markdown = settingsMarkdown(definition, { name: 'My SIEM', filter: { types: ['indicator'] } })
  const lines = markdown.trim().split('\n')
  expect(lines).toHaveLength(fieldsOf(definition).length + 2)
  for (const { environment, yamlPath } of fieldsOf(definition)) {
    expect(markdown).toContain(`\`${environment}\``)
    expect(markdown).toContain(`| \`${yamlPath}\` |`)
  }
  expect(markdown).toContain('| `CONNECTOR_NAME` | `connector.name` | text | no | `My SIEM` |')
  expect(markdown).toContain(
    '| `CONNECTOR_FILTER_TYPES` | `connector.filter_types` | a comma-separated list | no | `indicator` |',
  )
  expect(markdown).toContain(String.raw`| yes |  | Address \| of the API. |`)
  expect(markdown).not.toContain('canary')
})

test('every one of our settings has a description', () => {
  expect(fieldsOf({ sections: {} }).filter(({ description }) => description === undefined)).toEqual([])
})
