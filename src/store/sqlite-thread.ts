import { Worker } from 'node:worker_threads'
import { type SqliteConnection } from './sqlite-connection.ts'
import { sqliteThreadUrl } from './sqlite-thread-url.ts'
import { type StateChanges } from './state-store.ts'

/** Message to the thread: a commit, and a number that later tells whether it was made. */
export interface SqliteThreadCommit {
  readonly changes: StateChanges
  readonly number: number
}

/** The thread's answer to each commit: nothing, or why it failed. */
export interface SqliteThreadAnswer {
  readonly failure?: { readonly message: string; readonly errcode: number | undefined } | undefined
}

/**
 * Commits to a state file in a separate thread, so that the thread reading the stream continues meanwhile. If
 * the thread dies before it answers, or cannot start, the commit runs here unless it was already made there.
 */
export class SqliteThread {
  readonly #connection: SqliteConnection
  #worker: Worker | undefined
  /** The running commit. */
  #running: (SqliteThreadCommit & PromiseWithResolvers<void>) | undefined

  /**
   * @param path a complete state file.
   * @param connection the calling thread's connection to it.
   */
  constructor(path: string, connection: SqliteConnection) {
    this.#connection = connection
    try {
      this.#worker = new Worker(sqliteThreadUrl(), {
        name: 'state',
        workerData: path,
        // It needs neither the environment, which contains the secrets, nor anything else loaded into the
        // program. Node 22 has already warned about SQLite.
        env: {},
        execArgv: ['--disable-warning=ExperimentalWarning'],
      })
    } catch {
      return
    }
    this.#worker.on('message', (answer: SqliteThreadAnswer) => this.#answered(answer))
    // The exit event follows and closes its connection.
    this.#worker.on('error', () => {})
    this.#worker.on('exit', () => this.#ended())
    // It alone must not keep a program alive.
    this.#worker.unref()
  }

  /** Whether it accepts commits, even while still starting. */
  get isAlive(): boolean {
    return this.#worker !== undefined
  }

  /** Resolves when the running commit ends, successful or not; undefined if there is none. */
  get running(): Promise<void> | undefined {
    return this.#running?.promise.catch(() => {})
  }

  /**
   * Applies all changes or none. Call only if it is alive and no other commit is running.
   *
   * @throws SQLite's error, with its `errcode`.
   */
  commit(changes: StateChanges): Promise<void> {
    const worker = this.#worker!
    const commit: SqliteThreadCommit = { changes, number: this.#connection.lastNumber + 1 }
    worker.postMessage(commit)
    this.#running = { ...commit, ...Promise.withResolvers<void>() }
    worker.ref()
    return this.#running.promise
  }

  /** Ends the thread after the running commit. */
  async close(): Promise<void> {
    await this.running
    const worker = this.#worker
    if (worker === undefined) return
    const { promise, resolve } = Promise.withResolvers<unknown>()
    worker.once('exit', resolve)
    worker.ref()
    worker.postMessage(undefined)
    await promise
  }

  #answered({ failure }: SqliteThreadAnswer): void {
    const running = this.#running!
    this.#running = undefined
    this.#worker?.unref()
    if (failure === undefined) running.resolve()
    else running.reject(Object.assign(new Error(failure.message), { errcode: failure.errcode }))
  }

  #ended(): void {
    this.#worker = undefined
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    try {
      // It may have died between the commit and its answer.
      if (this.#connection.lastNumber !== running.number) this.#connection.commit(running.changes)
      running.resolve()
    } catch (error) {
      running.reject(error)
    }
  }
}
