import {
  buildIndicator,
  buildMalware,
  buildObservable,
  buildVulnerability,
  indicatorKinds,
  openCtiPropertiesOf,
  seededRandom,
  type Simulator,
  type StixObject,
} from 'opencti-stream-connector/testing'

/** How often changes are made, in milliseconds. */
const tickMs = 50

/** How many of the newest objects changes are made to. */
const maxKept = 400

const markings = [
  'marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9',
  'marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da',
  'marking-definition--f88d31f6-486f-44da-b317-01333bde0b82',
]

/** Addresses set apart for documentation are too few to be invented without end. */
const kinds = indicatorKinds.filter((kind) => kind !== 'ipv4')
const observables = ['domain-name', 'url', 'file', 'ipv6-addr', 'email-addr'] as const

/** Analysts at work on the platform: they create, change, rename, mark, merge and delete what they created. */
export class Traffic {
  readonly counts = { creates: 0, updates: 0, deletes: 0, merges: 0 }
  readonly #simulator: Simulator
  readonly #random = seededRandom(2026)
  readonly #kept: StixObject[] = []
  #seed = 70_000_000
  #timer: NodeJS.Timeout | undefined

  constructor(simulator: Simulator) {
    this.#simulator = simulator
  }

  start(changesPerSecond: number): void {
    let owed = 0
    this.#timer = setInterval(() => {
      owed += (changesPerSecond * tickMs) / 1000
      for (; owed >= 1; owed--) this.next()
    }, tickMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Makes one change. */
  next(): void {
    const dice = this.#random()
    if (this.#kept.length < 10 || dice < 0.5) this.create()
    else if (dice < 0.8) this.#update()
    else if (dice < 0.92) this.#delete()
    else this.#merge()
  }

  /** Creates something: mostly what a SIEM wants, now and then something else. @returns its internal id. */
  create(wanted?: StixObject): string {
    const stored = this.#simulator.create(wanted ?? this.#invent())
    this.counts.creates++
    if (wanted === undefined) this.#keep(stored)
    return openCtiPropertiesOf(stored).id
  }

  #invent(): StixObject {
    const options = { seed: this.#seed++, object_marking_refs: [this.#pick(markings)] }
    const dice = this.#random()
    if (dice < 0.55) return buildIndicator(this.#pick(kinds), options)
    if (dice < 0.85) return buildObservable(this.#pick(observables), options)
    return dice < 0.93 ? buildMalware(options) : buildVulnerability('new', options)
  }

  #update(): void {
    const object = this.#take(() => true)
    if (object === undefined) return
    const number = this.counts.updates++
    const choices: Record<string, unknown>[] = [
      { labels: ['botnet', `wave-${number}`] },
      { description: `Seen again in Zürich, ${number} times.` },
      { object_marking_refs: [this.#pick(markings)], description: `Marked anew, ${number}.` },
    ]
    if (object.type === 'indicator') {
      choices.push({ confidence: number % 100, name: `renamed ${number}` })
      // Another pattern is another STIX id: the entity stays the same by its internal id only.
      choices.push({ pattern: `[domain-name:value = 'moved-${number}.example']`, pattern_type: 'stix' })
    }
    this.#keep(this.#simulator.update(object.id, this.#pick(choices)))
  }

  #delete(): void {
    const object = this.#take(() => true)
    if (object === undefined) return
    this.counts.deletes++
    this.#simulator.delete(object.id)
  }

  #merge(): void {
    const target = this.#take(({ type }) => type === 'indicator')
    const source = this.#take(({ type }) => type === 'indicator')
    if (target !== undefined && source !== undefined) {
      this.counts.merges++
      this.#keep(this.#simulator.merge(target.id, [source.id]))
    } else if (target !== undefined) this.#keep(target)
  }

  /** Takes one of the kept objects out of their number. */
  #take(fits: (object: StixObject) => boolean): StixObject | undefined {
    const start = Math.floor(this.#random() * this.#kept.length)
    const found = this.#kept.findIndex((object, index) => index >= start && fits(object))
    return found === -1 ? undefined : this.#kept.splice(found, 1)[0]
  }

  #keep(object: StixObject): void {
    this.#kept.push(object)
    if (this.#kept.length > maxKept) this.#kept.shift()
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!
  }
}
