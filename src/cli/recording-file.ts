import { existsSync } from 'node:fs'
import { type FileHandle } from 'node:fs/promises'
import { readRecording } from '../testing/read-recording.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { comparePositions, parsePosition, type Position } from '../util/position.ts'
import { openForOwner } from './open-for-owner.ts'
import { recordedLine } from './recorded-line.ts'
import { jsonText } from '../util/json-text.ts'

/** A frame as it is recorded. */
export type RecordedFrame = Pick<StreamMessage, 'id' | 'event' | 'data' | 'bytes'>

/** What a recording ends with. */
export interface RecordingEnd {
  /** How many frames it holds. */
  readonly frames: number
  /** Its greatest position; absent when it holds none. */
  readonly last: Position | undefined
  /** The frames at that position. */
  readonly lastFrames: readonly RecordedFrame[]
}

/**
 * Looks how far a recording has come; a file that is not there is an empty one.
 *
 * @throws Error when the file holds something else than a recording: nothing is appended to that.
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
  // One line can have been cut off by a crash.
  if (frames === 0 && corrupt > 0) {
    throw new Error(`${path} is no recording, so nothing is appended to it. Name another file.`)
  }
  return { frames, last, lastFrames }
}

/** A recording that is being written: frames are added at once and written together, one line each. */
export class RecordingFile {
  readonly #file: FileHandle
  #pending: string[] = []
  #writing: Promise<void> | undefined
  #bytes = 0
  #failure: Error | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** Opens a recording to append to it; from then on only its owner may read it. */
  static async open(path: string): Promise<RecordingFile> {
    const file = await openForOwner(path, 'a+')
    try {
      const recording = new RecordingFile(file)
      // A line that was cut off stays by itself, so that only it is lost.
      if (await lacksLineEnd(file)) await file.appendFile('\n')
      return recording
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** How many bytes were written. */
  get bytes(): number {
    return this.#bytes
  }

  add(frame: RecordedFrame, receivedAtMs: number): void {
    this.#pending.push(`${recordedLine(frame, receivedAtMs)}\n`)
  }

  /** Undefined when all is written; else resolves when it is. Rejects when it cannot be written, then and ever after. */
  flush(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#writing === undefined && this.#pending.length === 0) return undefined
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined))
    return this.#writing
  }

  /** Writes what is left, makes it durable, and lets go. */
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
