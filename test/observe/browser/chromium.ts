import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { DevTools } from './dev-tools.ts'
import { Page } from './page.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/** Where Chromium is on this machine; undefined when it is not. */
export const chromiumPath: string | undefined = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => names.map((name) => join(folder, name)))
  .find((path) => existsSync(path))

/** A real Chromium without a window, driven over its DevTools protocol. It can reach this machine and nothing else. */
export class Chromium implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #profile: string
  readonly #tools: DevTools

  private constructor(process: ChildProcess, profile: string, tools: DevTools) {
    this.#process = process
    this.#profile = profile
    this.#tools = tools
  }

  /** @param names host names that lead to 127.0.0.1. */
  static async launch(names: readonly string[] = []): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'chromium-'))
    const rules = [...names.map((name) => `MAP ${name} 127.0.0.1`), 'MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']
    const parameters = [
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      `--host-resolver-rules=${rules.join(', ')}`,
      '--no-first-run',
      '--no-proxy-server',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-dev-shm-usage',
      '--disable-gpu',
      '--force-color-profile=srgb',
      '--hide-scrollbars',
      // The sandbox of Chromium refuses to run as root, which is what a container has.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      'about:blank',
    ]
    const child = spawn(chromiumPath!, parameters, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    for await (const line of createInterface({ input: child.stderr! })) {
      const [, address] = /^DevTools listening on (ws:\S+)/.exec(line) ?? []
      if (address === undefined) continue
      child.stderr!.resume()
      return new Chromium(child, profile, await DevTools.connect(address))
    }
    throw new Error(`${chromiumPath} ended before it could be driven`)
  }

  async open(options: { readonly javaScript?: boolean } = {}): Promise<Page> {
    const { targetId } = await this.#tools.send<{ targetId: string }>('Target.createTarget', {
      url: 'about:blank',
    })
    const { sessionId } = await this.#tools.send<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    })
    return Page.attached(this.#tools, sessionId, options.javaScript ?? true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#tools.close()
    // It has children of its own: all of its group.
    process.kill(-this.#process.pid!, 'SIGKILL')
    await ended
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}
