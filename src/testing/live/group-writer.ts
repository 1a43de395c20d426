import { type Faults } from '../faults.ts'
import { type FrameWriter } from './frame-writer.ts'

/** Frames of one event. They share its id; the main frame comes last. */
export interface FrameGroup {
  readonly id: string
  readonly dependencies: readonly string[]
  readonly main: string
}

/** Callbacks of a {@link GroupWriter}. */
export interface GroupListener {
  /** A frame with this id is being sent. */
  onFrame(id: string): void
  /** A fault requests a heartbeat now. */
  sendHeartbeat(): void
  /** The pause after each element that the client requested. */
  pause(): Promise<void>
}

/** Writes groups of frames, with the faults between and inside them. */
export class GroupWriter {
  readonly #writer: FrameWriter
  readonly #faults: Faults
  readonly #listener: GroupListener

  constructor(writer: FrameWriter, faults: Faults, listener: GroupListener) {
    this.#writer = writer
    this.#faults = faults
    this.#listener = listener
  }

  async write(group: FrameGroup): Promise<void> {
    const { armed } = this.#faults
    await this.#writeOnce(group)
    if (armed.duplicateGroups === 0) return
    armed.duplicateGroups -= 1
    await this.#writeOnce(group)
  }

  async #writeOnce({ id, dependencies, main }: FrameGroup): Promise<void> {
    const { armed } = this.#faults
    for (const dependency of dependencies) {
      await this.#writer.write(dependency)
      this.#listener.onFrame(id)
    }
    if (dependencies.length > 0 && armed.cutsBeforeMain > 0) {
      armed.cutsBeforeMain -= 1
      await this.#writer.cutAfter('', 0)
    }
    if (dependencies.length > 0 && armed.heartbeatsBeforeMain > 0) {
      armed.heartbeatsBeforeMain -= 1
      this.#listener.sendHeartbeat()
    }
    const cut = this.#cutOf(main)
    if (cut !== undefined) {
      armed.cutNextFrame = undefined
      await this.#writer.cutAfter(main, cut)
    }
    await this.#writer.write(main)
    this.#listener.onFrame(id)
    await this.#listener.pause()
  }

  /** Number of bytes after which the armed fault cuts this frame. */
  #cutOf(main: string): number | undefined {
    const { cutNextFrame } = this.#faults.armed
    if (cutNextFrame === undefined) return undefined
    const bytes = Buffer.from(main)
    if (cutNextFrame === 'middle') return bytes.length >>> 1
    if (cutNextFrame === 'after-data') return bytes.length - 1
    // The first byte of a multibyte character has its two highest bits set.
    const lead = bytes.findIndex((byte) => byte >= 0xc0)
    return lead === -1 ? undefined : lead + 1
  }
}
