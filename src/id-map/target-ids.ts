import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { octiIdOf } from '../stix/read/entity-ids.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type EntityRecord, type StateStore } from '../store/state-store.ts'
import { UnknownId } from '../contract/unknown-id.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Stands in the id map for the id of an entity that the target has, when nobody knows it. */
export const unknownExternalId = ''

/**
 * Whose ids the target uses: its own, which `create` answers, or those that the entities have anyway. Where the target gives
 * ids, nothing may be done with an entity whose id is not known: it would hit another one, or none, and look like success.
 */
export class TargetIds {
  #kind: 'given' | 'own' | undefined
  #isChanged = false

  async open(store: StateStore): Promise<void> {
    const said = await store.value(storedValues.targetIds)
    if (said === 'given' || said === 'own') this.#kind = said
  }

  /** What has to be written with the next commit. @param isUnsure whether the last commit may have failed. */
  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (!this.#isChanged && !isUnsure) return nothing
    this.#isChanged = false
    return this.#kind === undefined ? nothing : new Map([[storedValues.targetIds, this.#kind]])
  }

  /** `create` has answered this, now or earlier. Once the target has given an id of its own, it counts as one that gives ids. */
  note(entity: Entity, externalId: string | number | undefined): void {
    if (this.#kind === 'given') return
    const id = externalId === undefined ? undefined : String(externalId)
    const isOwn = id === undefined || id === entity.id || id === octiIdOf(entity)
    const kind = isOwn ? 'own' : 'given'
    if (kind === this.#kind) return
    this.#kind = kind
    this.#isChanged = true
  }

  /** Whether `find` has to be asked for an entity, so that hooks know its id. */
  isMissing(record: EntityRecord | undefined): boolean {
    if (record === undefined) return true
    if (record.externalId === undefined) return this.#kind === 'given'
    return record.externalId === unknownExternalId && this.#kind !== 'own'
  }

  /** What stands for the id of an entity that the target has, or may have, when nobody knows it; undefined when none is needed. */
  unknown(record: EntityRecord | undefined, isThere: boolean): UnknownId | undefined {
    if (this.#kind === 'own') return undefined
    if (this.#kind === 'given') return new UnknownId(missingId)
    if (record === undefined) return new UnknownId(isThere ? missingId : undefined)
    return record.externalId === unknownExternalId ? new UnknownId(missingId) : undefined
  }
}

/** What is thrown when a hook needs an id that is not known. */
export function missingId(cause?: unknown): StreamConnectorError {
  return new StreamConnectorError(
    'EXTERNAL_ID_UNKNOWN',
    'The target has this entity, or may have it, under an id that is not known: the connector was killed before it could remember what create() returned, or its state was lost. Nothing was changed there. Write find(entity), which asks the target for the id, and replay this dead letter; or correct the entity at the target by hand and purge it.',
    { cause },
  )
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()
