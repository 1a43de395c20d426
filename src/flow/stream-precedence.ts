import { Queue } from '../util/queue.ts'
import { type Operation } from '../events/operation.ts'
import { type Precedence } from './precedence.ts'

/** One operation after another, in stream order. */
export class StreamPrecedence implements Precedence {
  #first: Operation | undefined
  readonly #waiting = new Queue<Operation>()

  enter(operation: Operation): void {
    if (this.#first === undefined) {
      this.#first = operation
      return
    }
    operation.blockedBy++
    this.#waiting.push(operation)
  }

  leave(operation: Operation, ready: Queue<Operation>): void {
    if (operation !== this.#first) return
    this.#first = this.#waiting.shift()
    if (this.#first !== undefined && --this.#first.blockedBy === 0) ready.push(this.#first)
  }

  /** The newer state would overtake everything between the two. */
  mayFold(): boolean {
    return false
  }

  keep(started: Iterable<Operation>): void {
    this.#waiting.clear()
    ;[this.#first] = started
  }
}
