import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Overwrites one leaf page of a table or an index in the state file of a folder, also while a connector holds it.
 *
 * @param which the first page of it, or the last.
 */
export function damage(directory: string, name: string, which: 'first' | 'last' = 'last'): void {
  const file = join(
    directory,
    readdirSync(directory).find((each) => each.endsWith('.sqlite'))!,
  )
  const database = new DatabaseSync(file)
  database.exec('pragma wal_checkpoint(truncate)')
  const { page_size: pageSize } = database.prepare('pragma page_size').get() as { page_size: number }
  const order = which === 'last' ? 'desc' : 'asc'
  const { page } = database
    .prepare(
      `select pageno as page from dbstat where name = ? and pagetype = 'leaf' order by path ${order} limit 1`,
    )
    .get(name) as { page: number }
  database.close()
  const handle = openSync(file, 'r+')
  writeSync(handle, Buffer.alloc(pageSize, 0x5a), 0, pageSize, (page - 1) * pageSize)
  closeSync(handle)
}
