import { setImmediate as nextTurn } from 'node:timers/promises'

/** Reads the next rows after a key. */
type ReadPage<Row> = (page: { afterKey: string | undefined; limit: number }) => Promise<readonly Row[]>

/** All rows by key, `limit` at a time, as stored when their page is read. */
export async function* pages<Row extends { readonly key: string }>(
  read: ReadPage<Row>,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Row[]> {
  for (let afterKey: string | undefined; ;) {
    signal.throwIfAborted()
    const page = await read({ afterKey, limit })
    yield page
    if (page.length < limit) return
    afterKey = page.at(-1)!.key
    // An in-process store answers immediately; give sockets and hooks a turn in between.
    await nextTurn()
  }
}
