import { type NewDeadLetter } from '../store/state-store.ts'

/**
 * Numbers the dead letters that a process adds, so that Redis recognizes those of a commit whose answer was lost: the
 * same object keeps its number until a commit is confirmed.
 */
export class DeadLetterSequence {
  #last = 0
  /** Numbers of an object, one for each time that a commit adds it. */
  #unconfirmed = new Map<NewDeadLetter, number[]>()

  /** A commit begins. Returns the number of each letter, in the order in which it adds them. */
  begin(): (letter: NewDeadLetter) => number {
    const seen = new Map<NewDeadLetter, number>()
    return (letter) => {
      const times = seen.get(letter) ?? 0
      seen.set(letter, times + 1)
      const numbers = this.#unconfirmed.get(letter) ?? []
      this.#unconfirmed.set(letter, numbers)
      return (numbers[times] ??= ++this.#last)
    }
  }

  /** The commit was made. */
  confirm(): void {
    this.#unconfirmed = new Map()
  }
}
