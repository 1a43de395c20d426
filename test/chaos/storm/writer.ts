import {
  buildIdentity,
  buildIndicator,
  buildMalware,
  openCtiPropertiesOf,
  type Simulator,
  type StixObject,
} from 'opencti-stream-connector/testing'

/** More entities than this would make the end a long comparison. */
const maxAlive = 1500

/**
 * Writes one change of the knowledge base at a time, by chance: creations, updates, renames that change the STIX id,
 * indicators whose values change, deletions, merges, and updates of the organizations that entities refer to.
 */
export class StormWriter {
  readonly #simulator: Simulator
  readonly #random: () => number
  readonly #authorCount: number
  readonly #alive: string[] = []
  readonly #authors: StixObject[] = []
  #seed = 0
  readonly counts = { create: 0, update: 0, rename: 0, delete: 0, merge: 0, author: 0 }

  /** @param authorCount how many organizations the others refer to, so that they come before them as dependencies. */
  constructor(simulator: Simulator, random: () => number, authorCount: number) {
    this.#simulator = simulator
    this.#random = random
    this.#authorCount = authorCount
  }

  /** Fills the platform with what is older than its stream. @returns what it holds then. */
  load(count: number): StixObject[] {
    const authors = Array.from({ length: this.#authorCount }, (_, index) => this.#buildAuthor(index))
    this.#simulator.load(authors)
    this.#authors.push(...authors)
    const objects = Array.from({ length: count }, () => this.#build())
    this.#simulator.load(objects)
    for (const { id } of objects) this.#alive.push(openCtiPropertiesOf(this.#simulator.entity(id)!).id)
    return this.#simulator.entities()
  }

  write(): void {
    const kind = this.#random()
    if (this.#authors.length < this.#authorCount) {
      this.#authors.push(this.#simulator.create(this.#buildAuthor(this.#authors.length)))
      this.counts.author++
    } else if (this.#alive.length < 20 || (kind < 0.3 && this.#alive.length < maxAlive)) this.#create()
    else if (kind < 0.7) this.#update(this.#pick())
    else if (kind < 0.73) this.#updateAuthor()
    else if (kind < 0.83) this.#rename(this.#pick())
    else if (kind < 0.96) {
      this.counts.delete++
      this.#simulator.delete(this.#take(Math.floor(this.#random() * this.#alive.length)))
    } else this.#merge(this.#pick())
  }

  #buildAuthor(index: number): StixObject {
    return buildIdentity({ seed: index + 1, name: `Author ${index}` })
  }

  #build(): StixObject {
    const seed = ++this.#seed
    const created_by_ref = this.#pickAuthor()?.id
    if (this.#random() < 0.5) return buildMalware({ seed, created_by_ref })
    return buildIndicator('domain', { seed, created_by_ref, pattern: this.#pattern() })
  }

  /** Names one value of its own, and some of a few that others name too. */
  #pattern(): string {
    const shared = [0, 1, 2, 3].filter(() => this.#random() < 0.4).map((each) => `shared-${each}.example`)
    const values = [`only-${++this.#seed}.example`, ...shared]
    return `[${values.map((value) => `domain-name:value = '${value}'`).join(' OR ')}]`
  }

  #create(): void {
    this.counts.create++
    this.#alive.push(openCtiPropertiesOf(this.#simulator.create(this.#build())).id)
  }

  #update(id: string): void {
    this.counts.update++
    this.#simulator.update(id, { description: `changed for the time ${++this.#seed}` })
  }

  #updateAuthor(): void {
    const author = this.#pickAuthor()
    if (author === undefined) return
    this.counts.author++
    this.#simulator.update(author.id, { description: `changed for the time ${++this.#seed}` })
  }

  #rename(id: string): void {
    this.counts.rename++
    const isMalware = this.#simulator.entity(id)?.type === 'malware'
    const changes = isMalware ? { name: `Renamed ${++this.#seed}` } : { pattern: this.#pattern() }
    this.#simulator.update(id, changes)
  }

  #merge(target: string): void {
    const { type } = this.#simulator.entity(target)!
    const source = this.#alive.findIndex((id) => id !== target && this.#simulator.entity(id)?.type === type)
    if (source < 0) return this.#update(target)
    this.counts.merge++
    this.#simulator.merge(target, [this.#take(source)])
  }

  #pickAuthor(): StixObject | undefined {
    return this.#authors[Math.floor(this.#random() * this.#authors.length)]
  }

  #pick(): string {
    return this.#alive[Math.floor(this.#random() * this.#alive.length)]!
  }

  #take(index: number): string {
    return this.#alive.splice(index, 1)[0]!
  }
}
