import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type ConnectorStatus } from '../../observe/connector-status.ts'
import { type ChildReport, type ConnectorDescription } from './child-messages.ts'
import { runConnectorUrl } from './run-connector-url.ts'

/** How much of what a connector says is kept, in characters. */
const maxSaid = 20_000

/** A connector in a process. */
export class ConnectorProcess {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  readonly #made = Promise.withResolvers<ConnectorDescription | undefined>()
  readonly #questions = new Map<number, (status: ConnectorStatus | undefined) => void>()
  #said = ''
  #isMade = false
  #asked = 0

  /** @param connector its file; the fragment names the export. */
  constructor(connector: URL, environment: Readonly<Record<string, string>>, directory: string) {
    this.#child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--input-type=module',
        '--eval',
        'await import(process.argv[1])',
        runConnectorUrl().href,
        connector.href,
      ],
      { cwd: directory, env: environment, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
    )
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-maxSaid)
    })
    this.#child.on('message', (report) => this.#hear(report as ChildReport))
    this.#exit = once(this.#child, 'close').then(() => this.#end())
  }

  /** What it says about itself; undefined if it ended before. */
  get description(): Promise<ConnectorDescription | undefined> {
    return this.#made.promise
  }

  /** What it wrote to standard error. */
  get said(): string {
    return this.#said
  }

  /** Whether it has constructed the connector. */
  get isMade(): boolean {
    return this.#isMade
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Undefined when it is not constructed yet, or has ended. */
  status(): Promise<ConnectorStatus | undefined> {
    if (this.hasEnded || !this.#child.connected) return Promise.resolve(undefined)
    const { promise, resolve } = Promise.withResolvers<ConnectorStatus | undefined>()
    const id = ++this.#asked
    this.#questions.set(id, resolve)
    this.#child.send({ id }, (error) => {
      if (error !== null) this.#answer(id, undefined)
    })
    return promise
  }

  /** Ends it. @returns the exit code; null if a signal ended it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal)
    await this.#exit
    return this.#child.exitCode
  }

  #hear(report: ChildReport): void {
    if (report.kind === 'made') {
      this.#isMade = true
      this.#made.resolve(report.about)
    } else this.#answer(report.id, report.status)
  }

  #answer(id: number, status: ConnectorStatus | undefined): void {
    this.#questions.get(id)?.(status)
    this.#questions.delete(id)
  }

  #end(): void {
    this.#made.resolve(undefined)
    for (const id of this.#questions.keys()) this.#answer(id, undefined)
  }
}
