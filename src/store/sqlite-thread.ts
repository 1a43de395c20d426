import { Worker } from 'node:worker_threads'
import { type SqliteConnection } from './sqlite-connection.ts'
import { sqliteThreadUrl } from './sqlite-thread-url.ts'
import { type StateChanges } from './state-store.ts'

/** What the thread is sent: a commit, and the number by which it is known whether it was made. */
export interface SqliteThreadCommit {
  readonly changes: StateChanges
  readonly number: number
}

/** What the thread says after each commit: nothing, or why it did not succeed. */
export interface SqliteThreadAnswer {
  readonly failure?: { readonly message: string; readonly errcode: number | undefined } | undefined
}

/**
 * Commits to a state file in a thread of its own, so that the thread that reads the stream goes on meanwhile. Where
 * it dies before it has answered, also because none can be had, the commit is made here
 * unless it was made there.
 */
export class SqliteThread {
  readonly #connection: SqliteConnection
  #worker: Worker | undefined
  /** The commit that is under way. */
  #running: (SqliteThreadCommit & PromiseWithResolvers<void>) | undefined

  /**
   * @param path the state file, which is complete.
   * @param connection the way into it of the thread that calls.
   */
  constructor(path: string, connection: SqliteConnection) {
    this.#connection = connection
    try {
      this.#worker = new Worker(sqliteThreadUrl(), {
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
    // Its end follows, with which its connection is closed.
    this.#worker.on('error', () => {})
    this.#worker.on('exit', () => this.#ended())
    // Alone it is no reason for a program not to end.
    this.#worker.unref()
  }

  /** Whether it can take commits, also while it still begins. */
  get isAlive(): boolean {
    return this.#worker !== undefined
  }

  /** Resolves when the commit that is under way is over, however it ends; undefined when there is none. */
  get running(): Promise<void> | undefined {
    return this.#running?.promise.catch(() => {})
  }

  /**
   * All of the changes or none; call it only when it is alive, and no other commit is under way.
   *
   * @throws what SQLite says, as an error with its `errcode`.
   */
  commit(changes: StateChanges): Promise<void> {
    const worker = this.#worker!
    const commit: SqliteThreadCommit = { changes, number: this.#connection.lastNumber + 1 }
    worker.postMessage(commit)
    this.#running = { ...commit, ...Promise.withResolvers<void>() }
    worker.ref()
    return this.#running.promise
  }

  /** Ends the thread, after the commit that is under way. */
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
      // It can have died between the commit and its answer.
      if (this.#connection.lastNumber !== running.number) this.#connection.commit(running.changes)
      running.resolve()
    } catch (error) {
      running.reject(error)
    }
  }
}
