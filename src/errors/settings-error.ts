import { StreamConnectorError } from './stream-connector-error.ts'

/** One invalid setting. Never contains the received value. */
export interface SettingProblem {
  /**
   * Name of the environment variable, such as `MY_SIEM_API_KEY`. Undefined if the problem concerns more than
   * one setting.
   */
  readonly environment?: string | undefined
  /** Path in `config.yml`, such as `my_siem.api_key`. */
  readonly yamlPath?: string | undefined
  /** Whether the setting is missing, as opposed to invalid. */
  readonly isMissing?: boolean | undefined
  /** What is wrong, to follow the setting's name in a sentence: `is not set`. */
  readonly message: string
  /** What to do, as a full sentence. */
  readonly remedy: string
}

/**
 * The settings are invalid. Reports all problems at once, and never a received value.
 *
 * @example
 * ```ts
 * import { SettingsError } from 'opencti-stream-connector'
 *
 * const error = new SettingsError([
 *   {
 *     environment: 'MY_SIEM_API_KEY',
 *     yamlPath: 'my_siem.api_key',
 *     message: 'is not set',
 *     remedy: 'Set MY_SIEM_API_KEY, or my_siem.api_key in config.yml.',
 *   },
 * ])
 * console.log(error.problems.length) // 1
 * ```
 */
export class SettingsError extends StreamConnectorError {
  /** All problems, in the order of the settings. */
  readonly problems: readonly SettingProblem[]
  /** "Did you mean" sentences for unknown names that resemble a known setting. */
  readonly hints: readonly string[]

  static {
    this.prototype.name = 'SettingsError'
  }

  constructor(problems: readonly SettingProblem[], hints: readonly string[] = []) {
    super('SETTINGS_INVALID', describe(problems, hints))
    this.problems = problems
    this.hints = hints
  }
}

function describe(problems: readonly SettingProblem[], hints: readonly string[]): string {
  const heading =
    problems.length === 1
      ? 'The connector cannot start: one setting needs attention.'
      : `The connector cannot start: ${problems.length} settings need attention.`
  const lines = problems.map((problem) => `  - ${nameOf(problem)} ${problem.message}. ${problem.remedy}`)
  return [heading, ...lines, ...hints.map((hint) => `  - ${hint}`)].join('\n')
}

function nameOf({ environment, yamlPath }: SettingProblem): string {
  if (environment === undefined) return yamlPath ?? 'The configuration'
  return yamlPath === undefined ? environment : `${environment} (${yamlPath})`
}
