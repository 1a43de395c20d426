import { z } from 'zod'
import {
  defineSettings,
  entityKeyOf,
  labelsOf,
  nameOf,
  scoreOf,
  StreamConnector,
  type ConnectorDefaults,
  type Entity,
  type EventContext,
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
