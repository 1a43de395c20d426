import { createHash } from 'node:crypto'
import { chmod, open } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { RetryableError } from '../errors/steering-errors.ts'
import { type Clock, systemClock } from '../util/clock.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { filePieces } from './file-pieces.ts'
import { lineFormat, ListText } from './format-list.ts'
import { type LeftOut, type ListItem, type ListItems } from './list-item.ts'
import { type ListOptions } from './list-options.ts'
import { readOnlyFlags, ReplacementFile } from './replacement-file.ts'
import { maxSerial, serialIn } from './rpz-format.ts'

/** A list written to a file. */
export interface ListFile {
  /** Number of items in it. */
  readonly count: number
  readonly bytes: number
  /** SHA-256 of the file, as 64 hexadecimal digits. */
  readonly sha256: string
  /** Whether the file was replaced; false if its content was already the same. */
  readonly changed: boolean
  /** The items left out. */
  readonly leftOut: LeftOut
}

/**
 * Writes a list to a file that readers always see complete: the new file replaces the old one atomically,
 * once it is complete and durable. After a kill, a full disk, an error of the items, or an abort, the old
 * file remains; the next call removes what a kill leaves beside it. If nothing has changed, the file and its
 * time stay unchanged. Memory does not grow with the list. Only one process may write a file at a time.
 *
 * @param path the file; its folder must exist. A symbolic link, folder, or device is refused.
 * @throws RetryableError if the file cannot be written, with the reason; `TypeError` if an option is wrong;
 * the reason of the signal if it is aborted; whatever the items throw.
 * @example
 * ```ts
 * import { type ListItem, writeList } from 'opencti-stream-connector'
 *
 * async function replaceBlocklist(items: AsyncIterable<ListItem>, signal: AbortSignal): Promise<void> {
 *   const file = await writeList('/srv/lists/domains.txt', items, { format: 'plain', checksum: true, signal })
 *   if (file.leftOut.count > 0) console.warn('Not listed', file.leftOut.examples)
 * }
 * ```
 */
export async function writeList<Item extends ListItem>(
  path: string,
  items: ListItems<Item>,
  options: WriteListOptions<Item>,
): Promise<ListFile> {
  const { mode = 0o644, checksum = false, signal = new AbortController().signal } = options
  if (/\p{Cc}/u.test(path)) throw new TypeError('the path of a list must not contain control characters')
  signal.throwIfAborted()
  const place = resolve(path)
  const format = lineFormat(options)
  const before = await ofFile(place, () => readBefore(place))
  const serial = options.format === 'rpz' ? serialAfter(before?.serial, options) : 0
  const head = Buffer.from(format.head(serial))
  const body = new ListText(items, format, '')
  const [sum, sumAsBefore] = [createHash('sha256'), createHash('sha256')]
  sum.update(head)
  sumAsBefore.update(before?.serial === undefined ? head : format.head(before.serial))
  let bytes = head.length
  const file = await ofFile(place, () => ReplacementFile.create(place))
  let written: Omit<ListFile, 'count' | 'leftOut'>
  try {
    await ofFile(place, () => file.write(head))
    await raceWithSignal(signal, async () => {
      for await (const piece of body) {
        if (signal.aborted) return
        const encoded = Buffer.from(piece)
        sum.update(encoded)
        sumAsBefore.update(encoded)
        bytes += encoded.length
        await ofFile(place, () => file.write(encoded))
      }
    })
    const sha256 = sumAsBefore.digest('hex')
    if (before !== undefined && before.sha256 === sha256) {
      if (before.mode !== mode) await ofFile(place, () => chmod(place, mode))
      written = { bytes: before.bytes, sha256, changed: false }
    } else {
      await ofFile(place, () => file.putInPlace(mode, signal))
      written = { bytes, sha256: sum.digest('hex'), changed: true }
    }
  } finally {
    await file.discard()
  }
  if (checksum) await ofFile(place, () => writeChecksum(place, written.sha256, mode))
  const { count, leftOut } = body
  return { count, ...written, leftOut }
}

/** How to write a list to a file. */
export type WriteListOptions<Item extends ListItem = ListItem> = ListOptions<Item> & {
  /**
   * Permissions of the file. Everyone may read it by default, because web servers and firewall agents run as
   * another user, and their lists are not secret.
   * @default 0o644
   */
  readonly mode?: number | undefined
  /**
   * Whether to write its SHA-256 beside it, with the suffix `.sha256`, for `sha256sum --check`.
   * @default false
   */
  readonly checksum?: boolean | undefined
  /** Ends the writing; the old file remains. */
  readonly signal?: AbortSignal | undefined
  /**
   * The time for the serial of an RPZ list.
   * @default systemClock
   */
  readonly clock?: Clock | undefined
}

/** The current list in a file. */
interface Before {
  readonly sha256: string
  readonly bytes: number
  readonly mode: number
  readonly serial: number | undefined
}

const headBytes = 1024

async function readBefore(path: string): Promise<Before | undefined> {
  const file = await open(path, readOnlyFlags).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  if (file === undefined) return undefined
  try {
    const stats = await file.stat()
    if (!stats.isFile()) return undefined
    const head = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
    const sum = createHash('sha256')
    for await (const piece of filePieces(file, stats.size)) sum.update(piece)
    return {
      sha256: sum.digest('hex'),
      bytes: stats.size,
      mode: stats.mode & 0o7777,
      serial: serialIn(head.buffer.toString('latin1', 0, head.bytesRead)),
    }
  } finally {
    await file.close()
  }
}

/** A serial that secondaries accept as later than `before` (RFC 1982). */
function serialAfter(
  before: number | undefined,
  { serial, clock = systemClock }: { serial?: number | undefined; clock?: Clock | undefined },
): number {
  const wanted = serial ?? Math.floor(clock.now() / 1000)
  if (before === undefined) return wanted
  const ahead = (wanted - before) >>> 0
  return ahead > 0 && ahead < 2 ** 31 ? wanted : (before % maxSerial) + 1
}

async function writeChecksum(path: string, sha256: string, mode: number): Promise<void> {
  const place = `${path}.sha256`
  const text = Buffer.from(`${sha256}  ${basename(path)}\n`)
  const before = await readBefore(place)
  if (before?.sha256 === createHash('sha256').update(text).digest('hex')) return
  const file = await ReplacementFile.create(place)
  try {
    await file.write(text)
    await file.putInPlace(mode)
  } finally {
    await file.discard()
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'part of its path is not a folder',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  EFBIG: 'it exceeds the maximum file size',
  ELOOP: 'it is a symbolic link, which a list does not replace; name the file itself',
  NOT_A_FILE: 'it exists but is not a regular file; choose another path',
}

/** Explains disk failures in words; a retry may succeed. */
async function ofFile<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    const reason = reasons[code ?? ''] ?? (syscall === undefined ? undefined : code)
    if (reason === undefined) throw error
    throw new RetryableError(`The list ${path} cannot be written: ${reason}.`, { cause: error })
  }
}
