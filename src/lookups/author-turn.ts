import { type AuthorInfo } from './lookup-answers.ts'

/** Default page size of the platform (OpenCTI platform, `elasticsearch:default_pagination_result_size`). */
const maxAtOnce = 500

interface Asked {
  readonly id: string
  readonly resolve: (author: AuthorInfo | undefined) => void
  readonly reject: (error: unknown) => void
  readonly signal: AbortSignal
}

/** Queries the platform for several authors. Answers in the same order. */
export type AskAuthors = (
  ids: readonly string[],
  signal: AbortSignal,
) => Promise<readonly (AuthorInfo | undefined)[]>

/** Batches authors requested within one turn of the event loop into one query. */
export class AuthorTurn {
  readonly #ask: AskAuthors
  #gathered: Asked[] = []

  constructor(ask: AskAuthors) {
    this.#ask = ask
  }

  /** Loads one author. @throws whatever the query throws. */
  load(id: string, signal: AbortSignal): Promise<AuthorInfo | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#gathered.length === 0) setImmediate(() => this.#send())
      this.#gathered.push({ id, resolve, reject, signal })
    })
  }

  #send(): void {
    const gathered = this.#gathered
    this.#gathered = []
    for (let start = 0; start < gathered.length; start += maxAtOnce) {
      void this.#sendTogether(gathered.slice(start, start + maxAtOnce))
    }
  }

  async #sendTogether(asked: readonly Asked[]): Promise<void> {
    try {
      const answers = await this.#ask(
        asked.map(({ id }) => id),
        allAborted(asked.map(({ signal }) => signal)),
      )
      for (const [index, { resolve }] of asked.entries()) resolve(answers[index])
    } catch (error) {
      for (const { reject } of asked) reject(error)
    }
  }
}

/** Aborts when all of the signals have aborted. */
function allAborted(signals: readonly AbortSignal[]): AbortSignal {
  const all = new AbortController()
  let left = signals.length
  const count = (signal: AbortSignal) => {
    if (--left === 0) all.abort(signal.reason)
  }
  for (const signal of signals) {
    if (signal.aborted) count(signal)
    else signal.addEventListener('abort', () => count(signal), { once: true })
  }
  return all.signal
}
