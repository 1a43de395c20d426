import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type Operation } from '../events/operation.ts'
import { laneOf } from '../events/routes.ts'
import { type Entity } from '../stix/types/entity.ts'
import { extensionOf, fieldOf } from '../stix/types/entity-extensions.ts'
import { openCtiExtension } from '../stix/types/extensions.ts'
import { type EntityRecord, type StateStore } from '../store/state-store.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/**
 * Entities of an imported id map that were named by their STIX id alone: when one is first met, it gets the key that it has
 * here. Without such an import nothing is looked for.
 */
export class StixIdRecords {
  readonly #checkpointer: Checkpointer
  #mayHaveAny = false

  constructor(checkpointer: Checkpointer) {
    this.#checkpointer = checkpointer
  }

  /** Finds out whether there may be any, once the store is open. */
  async open(store: StateStore): Promise<void> {
    this.#mayHaveAny = (await store.value(storedValues.idMapByStixId)) !== undefined
  }

  /** Whether it is worth to look. */
  get mayHaveAny(): boolean {
    return this.#mayHaveAny
  }

  /** What is known of the operation's entity under one of its STIX ids at its route; known under its key from then on. */
  async find({ key, entity, route }: Operation): Promise<EntityRecord | undefined> {
    for (const stixId of stixIdsOf(entity)) {
      const former = laneOf(stixId, route?.name)
      if (former === key) continue
      const record = await this.#checkpointer.entity(former)
      if (record === undefined) continue
      const found = { ...record, key }
      this.#checkpointer.deleteEntity(former)
      this.#checkpointer.putEntity(found)
      return found
    }
    return undefined
  }
}

/** A rename changes the STIX id; the former ones stay with the entity (OpenCTI platform, database/stix-2-1-converter.ts). */
function stixIdsOf(entity: Entity): readonly string[] {
  // Before 5.1 they stood at the top.
  const former = extensionOf(entity, openCtiExtension)?.['stix_ids'] ?? fieldOf(entity, 'x_opencti_stix_ids')
  const ids = Array.isArray(former) ? former.filter((id) => typeof id === 'string') : []
  return [entity.id, ...ids]
}
