import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readConfigFile, type ConfigFile } from './config-file.ts'
import { readDotenvFile } from './dotenv-file.ts'
import { isMissing, isPlaceholder, type RawValue } from './raw-value.ts'
import { type SettingField } from '../schemas/setting-field.ts'
import { textFileOf } from './text-file.ts'

/** Where {@link loadSettings} looks. */
export interface SettingSources {
  /**
   * Environment variables.
   * @default process.env
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * The only folder to search for `config.yml`, or else `.env`.
   * @default the main script's folder, its parent, then the working directory
   */
  readonly directory?: string | undefined
}

/** Kinds of sources. */
export type SettingOrigin = 'environment' | 'config.yml' | '.env'

/** A setting as someone wrote it. */
export interface WrittenSetting {
  readonly raw: RawValue
  readonly origin: SettingOrigin
  /** Its name in that source. */
  readonly name: string
}

/** Everything an operator wrote, before any schema has seen it. */
export interface WrittenSettings {
  readonly environment: ReadonlyMap<string, string>
  readonly dotenv: ReadonlyMap<string, string>
  readonly config: ConfigFile
  /** The environment and the file that was read, for logs. */
  readonly description: string
}

/**
 * Reads the environment and the settings file.
 *
 * @throws SettingsError if a file exists but cannot be read.
 */
export function readSources({ env = process.env, directory }: SettingSources): WrittenSettings {
  const environment = new Map(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const directories = directory === undefined ? defaultDirectories() : [directory]
  const nothing = { environment, dotenv: new Map<string, string>(), config: new Map() as ConfigFile }
  const config = firstFile(directories, 'config.yml')
  if (config !== undefined) {
    return { ...nothing, config: readConfigFile(config.text), description: `environment, ${config.path}` }
  }
  const dotenv = firstFile(directories, '.env')
  if (dotenv !== undefined) {
    return { ...nothing, dotenv: readDotenvFile(dotenv.text), description: `environment, ${dotenv.path}` }
  }
  return { ...nothing, description: 'environment' }
}

/** The highest-priority source that sets `field`. Placeholders and empty text do not count. */
export function writtenOf(sources: WrittenSettings, field: SettingField): WrittenSetting | undefined {
  return candidatesOf(sources, field).find(({ raw }) => !isMissing(raw))
}

/** Whether `field` still has the placeholder of a sample. */
export function holdsPlaceholder(sources: WrittenSettings, field: SettingField): boolean {
  return candidatesOf(sources, field).some(({ raw }) => isPlaceholder(raw))
}

function candidatesOf(sources: WrittenSettings, field: SettingField): readonly WrittenSetting[] {
  const named = (values: ReadonlyMap<string, string>, origin: SettingOrigin) =>
    field.environmentNames.map((name) => ({ raw: values.get(name), origin, name }))
  return [
    ...named(sources.environment, 'environment'),
    ...([[field.section, field.field], ...field.formerPaths] as const).map(([section, name]) => ({
      raw: sources.config.get(section)?.get(name),
      origin: 'config.yml' as const,
      name: `${section}.${name}`,
    })),
    ...named(sources.dotenv, '.env'),
  ]
}

function defaultDirectories(): readonly string[] {
  const [, script] = process.argv
  if (script === undefined) return [process.cwd()]
  const main = dirname(realPath(script))
  return [...new Set([main, dirname(main), process.cwd()])]
}

function realPath(path: string): string {
  try {
    // Installed programs are started through a symbolic link.
    return realpathSync(path)
  } catch {
    return path
  }
}

function firstFile(directories: readonly string[], name: string): { path: string; text: string } | undefined {
  for (const directory of directories) {
    const path = join(directory, name)
    const text = textFileOf(path)
    if (text !== undefined) return { path, text }
  }
  return undefined
}
