import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { SettingsError } from '../../src/errors/settings-error.ts'

/** The least that a connector needs. */
export const minimalEnvironment = {
  OPENCTI_URL: 'https://opencti.example.com',
  OPENCTI_TOKEN: 'the-token-of-the-platform',
  CONNECTOR_ID: '2b0bd5a4-6a5f-4f2c-8d1e-3a6bd3a6b001',
  CONNECTOR_NAME: 'Example',
  CONNECTOR_LIVE_STREAM_ID: '675e6270-9e92-4189-8515-7972916a7e56',
} as const

/** A new folder with these files, removed after the test. */
export function folderWith(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

/** The settings error that `action` throws. */
export function settingsErrorOf(action: () => unknown): SettingsError {
  try {
    action()
  } catch (error) {
    if (error instanceof SettingsError) return error
    throw error
  }
  throw new Error('expected a SettingsError')
}
