import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readConfigFile, type ConfigFile } from './config-file.ts'
import { readDotenvFile } from './dotenv-file.ts'
import { isMissing, isPlaceholder, type RawValue } from './raw-value.ts'
import { type SettingField } from '../schemas/setting-field.ts'
import { textFileOf } from './text-file.ts'

/** Where {@link loadSettings} looks. */
export interface SettingSources {
  /** The environment. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * The one folder where `config.yml`, or else `.env`, is looked for. Default: the folder of the main script, its
   * parent, then the working directory.
   */
  readonly directory?: string | undefined
}

/** The kinds of places that a setting can come from. */
export type SettingOrigin = 'environment' | 'config.yml' | '.env'

/** A setting as somebody wrote it. */
export interface WrittenSetting {
  readonly raw: RawValue
  readonly origin: SettingOrigin
  /** The name that it has there. */
  readonly name: string
}

/** Everything that an operator wrote, before any schema has seen it. */
export interface WrittenSettings {
  readonly environment: ReadonlyMap<string, string>
  readonly dotenv: ReadonlyMap<string, string>
  readonly config: ConfigFile
  /** For logs: the environment and the file that was read. */
  readonly description: string
}

/**
 * Reads the environment and the file beside it.
 *
 * @throws SettingsError when there is a file that cannot be read.
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

/** The highest source that sets `field` to something; a placeholder or an empty text sets nothing. */
export function writtenOf(sources: WrittenSettings, field: SettingField): WrittenSetting | undefined {
  return candidatesOf(sources, field).find(({ raw }) => !isMissing(raw))
}

/** Whether somebody left the placeholder of a sample where `field` should be. */
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
    // A program that was installed is started through a link.
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
