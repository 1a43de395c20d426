import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { defaultText } from './default-text.ts'
import { type SettingsDefinition } from '../schemas/define-settings.ts'
import { expectedOf } from '../reading/expected-text.ts'
import { settingRows, type SettingRow } from './setting-rows.ts'

/**
 * Formats the settings as a Markdown table for a connector's README.
 *
 * @param defaults defaults from the connector's code.
 *
 * @example
 * ```ts
 * import { defineSettings, secret, settingsMarkdown, z } from 'opencti-stream-connector'
 *
 * const definition = defineSettings({ my_siem: z.object({ api_key: secret().describe('Key of the API.') }) })
 * console.log(settingsMarkdown(definition, { name: 'My SIEM' }))
 * ```
 */
export function settingsMarkdown(definition: SettingsDefinition, defaults: ConnectorDefaults = {}): string {
  const lines = settingRows(definition, defaults).map(lineOf)
  return `${[
    '| Environment | `config.yml` | Value | Required | Default | Description |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')}\n`
}

function lineOf(row: SettingRow): string {
  const cells = [
    row.environmentNames.map((name) => `\`${name}\``).join(', '),
    `\`${row.yamlPath}\``,
    expectedOf(row.schema),
    row.isRequired ? 'yes' : 'no',
    row.isSecret ? '' : quoted(defaultText(row.defaultValue)),
    row.description ?? '',
  ]
  return `| ${cells.map((cell) => inOneLine(cell.replaceAll('|', String.raw`\|`))).join(' | ')} |`
}

const quoted = (text: string) => (text === '' ? '' : `\`${text}\``)

function inOneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '').join(' ')
}
