import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type Operation } from '../events/operation.ts'
import { laneOf } from '../events/routes.ts'
import { type Entity } from '../stix/types/entity.ts'
import { extensionOf, fieldOf } from '../stix/types/entity-extensions.ts'
import { openCtiExtension } from '../stix/types/extensions.ts'
import { type EntityRecord, type StateStore } from '../store/state-store.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/**
 * Entities of an imported id map that are only known by STIX id; on first contact, each gets its proper key.
 * Without such an import, this does nothing.
 */
export class StixIdRecords {
  readonly #checkpointer: Checkpointer
  #mayHaveAny = false

  constructor(checkpointer: Checkpointer) {
    this.#checkpointer = checkpointer
  }

  /** Determines whether there may be any, once the store is open. */
  async open(store: StateStore): Promise<void> {
    this.#mayHaveAny = (await store.value(storedValues.idMapByStixId)) !== undefined
  }

  /** Whether to look at all. */
  get mayHaveAny(): boolean {
    return this.#mayHaveAny
  }

  /**
   * Finds the record of the operation's entity by one of its STIX ids on its route, and stores it under its
   * key.
   */
  async find({ key, entity, route }: Operation): Promise<EntityRecord | undefined> {
    for (const stixId of stixIdsOf(entity)) {
      const former = laneOf(stixId, route?.name)
      if (former === key) continue
      const record = await this.#checkpointer.state.entity(former)
      if (record === undefined) continue
      const found = { ...record, key }
      this.#checkpointer.deleteEntity(former)
      this.#checkpointer.putEntity(found)
      return found
    }
    return undefined
  }
}

/**
 * A rename changes the STIX id; the entity keeps its former ones (OpenCTI platform,
 * database/stix-2-1-converter.ts).
 */
function stixIdsOf(entity: Entity): readonly string[] {
  // At the top level before 5.1.
  const former = extensionOf(entity, openCtiExtension)?.['stix_ids'] ?? fieldOf(entity, 'x_opencti_stix_ids')
  const ids = Array.isArray(former) ? former.filter((id) => typeof id === 'string') : []
  return [entity.id, ...ids]
}
