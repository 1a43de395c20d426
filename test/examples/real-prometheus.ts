import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Whether this machine has Prometheus with its tool. */
export const hasPrometheus = ['prometheus', 'promtool'].every(
  (program) => spawnSync(program, ['--version']).status === 0,
)

/** One series of an answer, with its value at the moment that was asked for. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

/** A Prometheus of its own, on a free port of 127.0.0.1. */
export class RealPrometheus implements AsyncDisposable {
  readonly url: string
  readonly #process: ChildProcess

  private constructor(url: string, process: ChildProcess) {
    this.url = url
    this.#process = process
  }

  /**
   * @param configuration path of its `prometheus.yml`.
   * @param directory where it keeps its data.
   * @throws Error with its log when it does not start.
   */
  static async start(configuration: string, directory: string): Promise<RealPrometheus> {
    const child = spawn(
      'prometheus',
      [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${directory}`,
        '--web.listen-address=127.0.0.1:0',
        '--log.format=json',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const log: string[] = []
    const address = Promise.withResolvers<string>()
    let port: string | undefined
    let isReady = false
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line)
      // Two lines name an address: the one that was asked for, with port 0, and the one that it has.
      port ??= /"address":"127\.0\.0\.1:([1-9]\d*)"/.exec(line)?.[1]
      // Two of its goroutines write these lines, so either can come first.
      isReady ||= line.includes('Server is ready')
      if (port !== undefined && isReady) address.resolve(`http://127.0.0.1:${port}`)
    })
    child.once('exit', () => address.reject(new Error(`Prometheus ended:\n${log.join('\n')}`)))
    child.once('error', (error) => address.reject(error))
    return new RealPrometheus(await address.promise, child)
  }

  /** The samples of an expression now. @throws Error with the words of Prometheus when it cannot be evaluated. */
  async query(expression: string): Promise<readonly Sample[]> {
    const { data } = await this.#ask<{ result: readonly Sample[] }>(
      `query?query=${encodeURIComponent(expression)}`,
    )
    return data.result
  }

  /** Every alert rule, as Prometheus has loaded and evaluated it. */
  async rules(): Promise<
    readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]
  > {
    const { data } = await this.#ask<{
      groups: { rules: { name: string; health: string; lastError?: string }[] }[]
    }>('rules')
    return data.groups.flatMap(({ rules }) => rules)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }

  async #ask<T>(path: string): Promise<{ readonly data: T }> {
    const response = await fetch(`${this.url}/api/v1/${path}`)
    const answer = (await response.json()) as { status: string; error?: string; data: T }
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`)
    return answer
  }
}
