import { tmpdir } from 'node:os'
import { type ConnectorSettings } from '../../src/settings/schemas/connector-settings.ts'
import { defineSettings } from '../../src/settings/schemas/define-settings.ts'
import { loadSettings } from '../../src/settings/reading/load-settings.ts'

const env = {
  OPENCTI_URL: 'http://127.0.0.1:1',
  OPENCTI_TOKEN: 'e0f2a5c4-8a6b-4f0e-9c57-0d6d5c1e7a11',
  CONNECTOR_ID: '7a1d8a1e-6a0b-4c39-9f0a-2d3c1f5b6e77',
  CONNECTOR_NAME: 'Reader',
  CONNECTOR_LIVE_STREAM_ID: '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e',
}

let settings: ConnectorSettings | undefined

/** The settings of a reader that no server is asked with. */
export function readerSettings(): ConnectorSettings {
  settings ??= loadSettings(defineSettings({}), { env, directory: tmpdir() }).settings.connector
  return settings
}
