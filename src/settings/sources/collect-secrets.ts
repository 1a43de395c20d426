import { textsWithin } from './echo-guard.ts'
import { secretsOfUrl } from './secrets-of-url.ts'
import { Secret } from '../../util/secret.ts'
import { type SettingField } from '../schemas/setting-field.ts'
import { type WrittenSettings, writtenOf } from './setting-sources.ts'

/**
 * Collects everything to redact from logs: the value of each {@link Secret} in the settings, the original
 * text if a schema converted its secret to something else, and the secret parts of all URLs.
 */
export function collectSecrets(
  settings: Readonly<Record<string, unknown>>,
  sources: WrittenSettings,
  fields: readonly SettingField[],
): readonly string[] {
  const secrets = new Set<string>()
  const add = (texts: readonly string[]) => {
    for (const text of texts) secrets.add(text)
  }
  for (const field of fields) {
    const value = (settings[field.section] as Record<string, unknown> | undefined)?.[field.field]
    if (field.isSecret) {
      const found = secretsWithin(value)
      add(found.length === 0 ? textsWithin(writtenOf(sources, field)?.raw) : found)
      for (const text of found) add(secretsOfUrl(text, true))
    } else {
      for (const text of plainTextsWithin(value)) add(secretsOfUrl(text, false))
    }
  }
  return Object.freeze([...secrets].filter((value) => value !== ''))
}

function secretsWithin(value: unknown): readonly string[] {
  return value instanceof Secret ? [value.reveal()] : valuesOf(value).flatMap(secretsWithin)
}

function plainTextsWithin(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return value instanceof URL ? [value.href] : valuesOf(value).flatMap(plainTextsWithin)
}

function valuesOf(value: unknown): readonly unknown[] {
  if (value instanceof Map) return [...value.entries()].flat()
  if (Array.isArray(value) || value instanceof Set) return [...value]
  return typeof value === 'object' && value !== null ? Object.values(value) : []
}
