import { z } from 'zod'
import {
  defineSettings,
  entityKeyOf,
  isExpired,
  itemsOf,
  labelsOf,
  nameOf,
  scoreOf,
  StreamConnector,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  type FlushOperation,
  type KeyedItem,
} from 'opencti-stream-connector'

const settings = defineSettings({ store: z.object({ url: z.url() }) })

interface Document {
  readonly entity: string
  readonly name: string
  readonly labels: readonly string[]
  readonly score: number | undefined
}

/** Stores documents under the ids of the platform. */
export class GoodConnector extends StreamConnector<typeof settings, Document> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Documents',
    filter: { types: ['indicator', 'malware', 'report'] },
  } satisfies ConnectorDefaults

  transform(entity: Entity): Document {
    return {
      entity: entityKeyOf(entity),
      name: nameOf(entity),
      labels: labelsOf(entity),
      score: scoreOf(entity),
    }
  }
  override async create(document: Document, { signal }: EventContext): Promise<string | void> {
    await this.http.put(this.at(document.entity), { json: document, signal })
  }
  override async update(document: Document, context: EventContext): Promise<string | void> {
    await this.create(document, context)
  }
  override async delete({ internalId, signal }: EventContext): Promise<void> {
    await this.http.delete(this.at(internalId!), { signal })
  }

  at(id: string): string {
    return `${this.settings.store.url}/${id}`
  }
}

/** Leaves at the target what is gone. */
export class DropsDeletes extends GoodConnector {
  override async delete(): Promise<void> {}
}

/** Never tells what has changed. */
export class IgnoresUpdates extends GoodConnector {
  override async update(): Promise<void> {}
}

/** Takes every error for a success. */
export class SwallowsErrors extends GoodConnector {
  override async create(document: Document, context: EventContext): Promise<void> {
    await super.create(document, context).catch(() => {})
  }
  override async delete(context: EventContext): Promise<void> {
    await super.delete(context).catch(() => {})
  }
}

/** Does nothing at all. */
export class NeverWrites extends GoodConnector {
  override async create(): Promise<void> {}
}

/** Waits for no answer. */
export class Hurries extends GoodConnector {
  override async create(document: Document): Promise<void> {
    const body = JSON.stringify(document)
    void fetch(this.at(document.entity), { method: 'PUT', body }).catch(() => {})
  }
}

/** Leaves at the target what was merged into another one. */
export class ForgetsMerges extends GoodConnector {
  override async delete(context: EventContext): Promise<void> {
    if (context.reason !== 'merged') await super.delete(context)
  }
}

/** Leaves at the target what has left the filter of the stream. */
export class IgnoresFilterExits extends GoodConnector {
  override async delete(context: EventContext): Promise<void> {
    if (context.reason !== 'left-filter') await super.delete(context)
  }
}

/** Wants no expired indicators, and does not ask to be told when one expires. */
export class IgnoresExpiry extends GoodConnector {
  override transform(entity: Entity): Document {
    const document = super.transform(entity)
    return isExpired(entity, Date.now()) ? { ...document, name: 'expired' } : document
  }
}

/** Lets the target number its documents, and never looks whether one is there. */
export class WritesTwice extends GoodConnector {
  override async create(document: Document): Promise<string> {
    const { id } = await this.http.post(this.settings.store.url, { json: document }).json<{ id: string }>()
    return id
  }
  override async update(document: Document, { externalId }: EventContext): Promise<void> {
    await this.http.put(this.at(externalId!), { json: document })
  }
  override async delete({ externalId }: EventContext): Promise<void> {
    await this.http.delete(this.at(externalId!))
  }
}

/** The same, but it looks first. */
export class LooksFirst extends WritesTwice {
  override async find(entity: Entity): Promise<string | undefined> {
    const [id] = await this.http
      .get(this.settings.store.url, { searchParams: { entity: entityKeyOf(entity) } })
      .json<string[]>()
    return id
  }
}

/** Remembers in memory what it has stored, and nowhere else. */
export class RemembersInMemory extends GoodConnector {
  static override readonly defaults = { ...GoodConnector.defaults, idMap: false } satisfies ConnectorDefaults
  readonly #ids = new Map<string, string>()

  override async create(document: Document): Promise<void> {
    const known = this.#ids.get(document.entity)
    if (known !== undefined) return void (await this.http.put(this.at(known), { json: document }))
    const { id } = await this.http.post(this.settings.store.url, { json: document }).json<{ id: string }>()
    this.#ids.set(document.entity, id)
  }
  override async update(document: Document): Promise<void> {
    await this.create(document)
  }
  override async delete({ internalId }: EventContext): Promise<void> {
    const known = this.#ids.get(internalId!)
    if (known !== undefined) await this.http.delete(this.at(known))
  }
}

/** Sends everything in batches. */
export class Batches extends StreamConnector<typeof settings, Document> {
  static override readonly settings = settings
  static override readonly defaults = GoodConnector.defaults
  transform = GoodConnector.prototype.transform
  override async flush(operations: readonly FlushOperation<Document>[]): Promise<void> {
    const lines = operations.map(({ item, context }) => item ?? { entity: context.internalId!, gone: true })
    await this.http.post(`${this.settings.store.url}/bulk`, { json: lines })
  }
}

/** Holds the values that indicators name. */
export class Values extends StreamConnector<typeof settings, KeyedItem & { score: number }> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Values',
    filter: { types: ['indicator'] },
  } satisfies ConnectorDefaults
  transform = (entity: Entity) =>
    itemsOf(entity).items.map(({ value }) => ({ key: value, score: scoreOf(entity) ?? 0 }))
  override async create({ key, score }: KeyedItem & { score: number }): Promise<void> {
    await this.http.put(this.#at(key), { json: { entity: key, score } })
  }
  override async update(item: KeyedItem & { score: number }): Promise<void> {
    await this.create(item)
  }
  override async delete({ key }: EventContext): Promise<void> {
    await this.http.delete(this.#at(key!))
  }
  #at(key: string): string {
    return `${this.settings.store.url}/${encodeURIComponent(key)}`
  }
}

/** Replaces the whole list. */
export class WholeList extends StreamConnector<typeof settings, KeyedItem> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'List',
    filter: { types: ['indicator'] },
  } satisfies ConnectorDefaults
  transform = (entity: Entity) => itemsOf(entity).items.map(({ value }) => ({ key: value }))
  override async replaceAll(items: AsyncIterable<KeyedItem>): Promise<void> {
    const json: { entity: string }[] = []
    for await (const { key } of items) json.push({ entity: key })
    await this.http.put(`${this.settings.store.url}/all`, { json })
  }
}
