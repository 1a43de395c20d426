import { textsWithin } from './echo-guard.ts'
import { Secret } from '../../util/secret.ts'
import { type SettingField } from '../schemas/setting-field.ts'
import { type WrittenSettings, writtenOf } from './setting-sources.ts'

/**
 * Everything that must be removed from logs: the value of each {@link Secret} among the settings, the password in a
 * proxy's address, and what was written where a schema turned its secret into something else.
 */
export function collectSecrets(
  settings: Readonly<Record<string, unknown>>,
  sources: WrittenSettings,
  fields: readonly SettingField[],
): readonly string[] {
  const secrets = new Set<string>()
  for (const field of fields) {
    if (!field.isSecret) continue
    const found = secretsWithin(
      (settings[field.section] as Record<string, unknown> | undefined)?.[field.field],
    )
    const written = found.length === 0 ? textsWithin(writtenOf(sources, field)?.raw) : []
    for (const value of [...found.flatMap(withPassword), ...written]) secrets.add(value)
  }
  return Object.freeze([...secrets].filter((value) => value !== ''))
}

function secretsWithin(value: unknown): readonly string[] {
  if (value instanceof Secret) return [value.reveal()]
  if (value instanceof Map) return [...value.entries()].flat().flatMap(secretsWithin)
  if (Array.isArray(value) || value instanceof Set) return [...value].flatMap(secretsWithin)
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretsWithin) : []
}

function withPassword(secret: string): readonly string[] {
  if (!/^https?:\/\//i.test(secret) || !URL.canParse(secret)) return [secret]
  const { password } = new URL(secret)
  return [secret, password, decoded(password)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
