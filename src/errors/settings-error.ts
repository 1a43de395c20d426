import { StreamConnectorError } from './stream-connector-error.ts'

/** One setting that keeps the connector from starting. It never holds what was received. */
export interface SettingProblem {
  /** Name of the environment variable, such as `MY_SIEM_API_KEY`; absent when it concerns no single setting. */
  readonly environment?: string | undefined
  /** Where it stands in `config.yml`, such as `my_siem.api_key`. */
  readonly yamlPath?: string | undefined
  /** Whether nobody set it, rather than set it wrongly. */
  readonly isMissing?: boolean | undefined
  /** What is wrong, as the rest of a sentence that starts with the name: `is not set`. */
  readonly message: string
  /** What to do, as a sentence of its own. */
  readonly remedy: string
}

/**
 * The settings cannot be used. All problems are reported at once, none with the value that was received.
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
  /** Each problem that was found, in the order of the settings. */
  readonly problems: readonly SettingProblem[]
  /** Names that are set, unknown, and close to one that is known: sentences of the form "did you mean". */
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
