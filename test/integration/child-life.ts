import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** One life of a connector in a process of its own: it has loaded everything, and begins when it is told to. */
export class ChildLife {
  readonly process: ChildProcess
  readonly #exit: Promise<unknown[]>
  said = ''

  /** @param file in this folder, or elsewhere by its address. */
  constructor(file: string | URL, environment: Record<string, string>) {
    const path = fileURLToPath(new URL(file, import.meta.url))
    this.process = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    this.#exit = once(this.process, 'exit')
  }

  begin(): void {
    this.process.send('begin')
  }

  /** Ends it, and answers its exit code: null when it was killed. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    this.process.kill(signal)
    const [code] = await this.#exit
    return code as number | null
  }
}
