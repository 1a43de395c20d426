import { getHeapStatistics } from 'node:v8'

/**
 * A frame is in memory several times at once: as text, as what was read from it, and as the text that goes to the target,
 * each with two bytes a character when one of them is outside of Latin-1. The rest of the heap is for all else.
 */
const heapShare = 12

/** The largest frame that the heap of this process can hold, in bytes: 128 MiB with 1.5 GiB of heap. */
export function heapFrameLimit(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / heapShare)
}
