import { existsSync } from 'node:fs'
import { type FileHandle } from 'node:fs/promises'
import { readRecording } from '../testing/read-recording.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { comparePositions, parsePosition, type Position } from '../util/position.ts'
import { openForOwner } from './open-for-owner.ts'
import { recordedLine } from './recorded-line.ts'
import { jsonText } from '../util/json-text.ts'

/** A frame as recorded. */
export type RecordedFrame = Pick<StreamMessage, 'id' | 'event' | 'data' | 'bytes'>

/** The end of a recording. */
export interface RecordingEnd {
  /** Number of frames. */
  readonly frames: number
  /** Highest position. Undefined if there are no frames. */
  readonly last: Position | undefined
  /** Frames at that position. */
  readonly lastFrames: readonly RecordedFrame[]
}

/**
 * Finds the end of a recording. A missing file counts as empty.
 *
 * @throws Error if the file is not a recording; nothing must be appended to it.
 */
export async function endOfRecording(path: string): Promise<RecordingEnd> {
  let frames = 0
  let last: Position | undefined
  let lastFrames: RecordedFrame[] = []
  if (!existsSync(path)) return { frames, last, lastFrames }
  let corrupt = 0
  for await (const { id, event, data } of readRecording(path, { onCorruptLine: () => corrupt++ })) {
    frames++
    const position = id === undefined ? undefined : parsePosition(id)
    if (position === undefined) continue
    const order = last === undefined ? 1 : comparePositions(position, last)
    if (order < 0) continue
    if (order > 0) lastFrames = []
    last = position
    const text = typeof data === 'string' ? data : (jsonText(data) ?? '')
    lastFrames.push({ id, event, data: text, bytes: text.length })
  }
  // A crash can cut off one line.
  if (frames === 0 && corrupt > 0) {
    throw new Error(`${path} is not a recording, and was left unchanged. Choose another file.`)
  }
  return { frames, last, lastFrames }
}

/** A recording being written. Frames are added immediately and written in groups, one line each. */
export class RecordingFile {
  readonly #file: FileHandle
  #pending: string[] = []
  #writing: Promise<void> | undefined
  #bytes = 0
  #failure: Error | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** Opens a recording to append to it, and makes it readable by its owner only. */
  static async open(path: string): Promise<RecordingFile> {
    const file = await openForOwner(path, 'a+')
    try {
      const recording = new RecordingFile(file)
      // Keeps a cut-off line separate, so that only it is lost.
      if (await lacksLineEnd(file)) await file.appendFile('\n')
      return recording
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Number of bytes written. */
  get bytes(): number {
    return this.#bytes
  }

  add(frame: RecordedFrame, receivedAtMs: number): void {
    this.#pending.push(`${recordedLine(frame, receivedAtMs)}\n`)
  }

  /**
   * Undefined if everything is written; otherwise resolves once it is. After a write error, always rejects.
   */
  flush(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#writing === undefined && this.#pending.length === 0) return undefined
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined))
    return this.#writing
  }

  /** Writes the rest, makes it durable, and closes the file. */
  async close(): Promise<void> {
    try {
      await this.flush()
      await this.#file.sync()
    } finally {
      await this.#file.close()
    }
  }

  async #write(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const bytes = Buffer.from(this.#pending.join(''))
        this.#pending = []
        await this.#file.appendFile(bytes)
        this.#bytes += bytes.length
      }
    } catch (error) {
      this.#failure = error as Error
      throw error
    }
  }
}

async function lacksLineEnd(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] !== 10
}
