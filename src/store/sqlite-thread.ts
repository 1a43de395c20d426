import { Worker } from 'node:worker_threads'
import { type StateChanges } from './state-store.ts'

/** What the thread says when it is ready, and after each commit: nothing, or why it did not succeed. */
export interface SqliteThreadAnswer {
  readonly failure?: { readonly message: string; readonly errcode: number | undefined } | undefined
}

/** The name of this file's extension: the thread's file has the same, built or not. */
const extension = import.meta.url?.endsWith('.ts') ? 'ts' : 'js'

/**
 * Commits to a state file in a thread of its own, so that the thread that reads the stream goes on meanwhile. Where no
 * thread can be had (a bundler left out its file, Node's permissions forbid it), it never becomes ready, and nothing
 * else happens.
 */
export class SqliteThread {
  #worker: Worker | undefined
  #isReady = false
  /** The commit that is under way. */
  #running: PromiseWithResolvers<void> | undefined

  /** @param path the state file, which is complete. */
  constructor(path: string) {
    try {
      this.#worker = new Worker(new URL(`./sqlite-thread-main.${extension}`, import.meta.url), {
        name: 'state',
        workerData: path,
        // It needs nothing of the environment, where the secrets are, nor what else was loaded into the program; Node 22
        // has warned of SQLite already.
        env: {},
        execArgv: ['--disable-warning=ExperimentalWarning'],
      })
    } catch {
      return
    }
    this.#worker.on('message', (answer: SqliteThreadAnswer) => this.#answered(answer))
    this.#worker.on('error', (error) => this.#ended(error))
    this.#worker.on('exit', () => this.#ended(new Error('the thread that writes it has ended')))
    // Alone it is no reason for a program not to end.
    this.#worker.unref()
  }

  /** Whether it can take a commit now. */
  get isReady(): boolean {
    return this.#isReady && this.#running === undefined
  }

  /** Resolves when the commit that is under way is over, however it ends; undefined when there is none. */
  get running(): Promise<void> | undefined {
    return this.#running?.promise.catch(() => {})
  }

  /**
   * All of the changes or none; call it only when it is ready.
   *
   * @throws what SQLite says, as an error with its `errcode`.
   */
  commit(changes: StateChanges): Promise<void> {
    const worker = this.#worker!
    worker.postMessage(changes)
    this.#running = Promise.withResolvers()
    worker.ref()
    return this.#running.promise
  }

  /** Ends the thread, after the commit that is under way. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    await this.running
    if (!this.#isReady) {
      await worker.terminate()
      return
    }
    const { promise, resolve } = Promise.withResolvers<unknown>()
    worker.once('exit', resolve)
    worker.ref()
    worker.postMessage(undefined)
    await promise
  }

  #answered({ failure }: SqliteThreadAnswer): void {
    this.#isReady = true
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    this.#worker?.unref()
    if (failure === undefined) running.resolve()
    else running.reject(Object.assign(new Error(failure.message), { errcode: failure.errcode }))
  }

  #ended(error: unknown): void {
    this.#isReady = false
    this.#worker = undefined
    this.#running?.reject(error)
    this.#running = undefined
  }
}
