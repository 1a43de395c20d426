import {
  buildIndicator,
  buildMalware,
  openCtiPropertiesOf,
  type Simulator,
} from 'opencti-stream-connector/testing'

/** More entities than this would make the end a long comparison. */
const maxAlive = 1500

/**
 * Writes one change of the knowledge base at a time, by chance: creations, updates, renames that change the STIX id,
 * deletions and merges.
 */
export class StormWriter {
  readonly #simulator: Simulator
  readonly #random: () => number
  readonly #alive: string[] = []
  #seed = 0
  readonly counts = { create: 0, update: 0, rename: 0, delete: 0, merge: 0 }

  constructor(simulator: Simulator, random: () => number) {
    this.#simulator = simulator
    this.#random = random
  }

  write(): void {
    const kind = this.#random()
    this.#seed++
    if (this.#alive.length < 20 || (kind < 0.3 && this.#alive.length < maxAlive)) this.#create()
    else if (kind < 0.75) this.#update(this.#pick())
    else if (kind < 0.83) this.#rename(this.#pick())
    else if (kind < 0.96) {
      this.counts.delete++
      this.#simulator.delete(this.#take(Math.floor(this.#random() * this.#alive.length)))
    } else this.#merge(this.#pick())
  }

  #create(): void {
    const seed = this.#seed
    const object = this.#random() < 0.5 ? buildMalware({ seed }) : buildIndicator('sha256', { seed })
    this.counts.create++
    this.#alive.push(openCtiPropertiesOf(this.#simulator.create(object)).id)
  }

  #update(id: string): void {
    this.counts.update++
    this.#simulator.update(id, { description: `changed for the time ${this.#seed}` })
  }

  #rename(id: string): void {
    if (this.#simulator.entity(id)?.type !== 'malware') return this.#update(id)
    this.counts.rename++
    this.#simulator.update(id, { name: `Renamed ${this.#seed}` })
  }

  #merge(target: string): void {
    const { type } = this.#simulator.entity(target)!
    const source = this.#alive.findIndex((id) => id !== target && this.#simulator.entity(id)?.type === type)
    if (source < 0) return this.#update(target)
    this.counts.merge++
    this.#simulator.merge(target, [this.#take(source)])
  }

  #pick(): string {
    return this.#alive[Math.floor(this.#random() * this.#alive.length)]!
  }

  #take(index: number): string {
    return this.#alive.splice(index, 1)[0]!
  }
}
