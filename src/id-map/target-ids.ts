import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { octiIdOf } from '../stix/read/entity-ids.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type EntityRecord, type StateStore } from '../store/state-store.ts'
import { UnknownId } from '../contract/unknown-id.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Represents an unknown target id of a pushed entity in the id map. */
export const unknownExternalId = ''

/**
 * Whose ids the target uses: its own, which `create` returns, or those of the entities. If the target assigns
 * ids, nothing may be done with an entity whose id is unknown: it would affect another one, or none, and look
 * like success.
 */
export class TargetIds {
  #kind: 'given' | 'own' | undefined
  #isChanged = false

  async open(store: StateStore): Promise<void> {
    const said = await store.value(storedValues.targetIds)
    if (said === 'given' || said === 'own') this.#kind = said
  }

  /** Values to save with the next commit. @param isUnsure whether the last commit may have failed. */
  values(isUnsure: boolean): ReadonlyMap<string, string | undefined> {
    if (!this.#isChanged && !isUnsure) return nothing
    this.#isChanged = false
    return this.#kind === undefined ? nothing : new Map([[storedValues.targetIds, this.#kind]])
  }

  /**
   * `create` returned this id, now or earlier. Once the target has assigned its own id, it counts as one that
   * does.
   */
  note(entity: Entity, externalId: string | number | undefined): void {
    if (this.#kind === 'given') return
    const id = externalId === undefined ? undefined : String(externalId)
    const isOwn = id === undefined || id === entity.id || id === octiIdOf(entity)
    const kind = isOwn ? 'own' : 'given'
    if (kind === this.#kind) return
    this.#kind = kind
    this.#isChanged = true
  }

  /** Whether `find` must be called for an entity so that hooks know its id. */
  isMissing(record: EntityRecord | undefined): boolean {
    if (record === undefined) return true
    if (record.externalId === undefined) return this.#kind === 'given'
    return record.externalId === unknownExternalId && this.#kind !== 'own'
  }

  /** Placeholder for an unknown id of an entity the target has, or may have; undefined if none is needed. */
  unknown(record: EntityRecord | undefined, isThere: boolean): UnknownId | undefined {
    if (this.#kind === 'own') return undefined
    if (this.#kind === 'given') return new UnknownId(missingId)
    if (record === undefined) return new UnknownId(isThere ? missingId : undefined)
    return record.externalId === unknownExternalId ? new UnknownId(missingId) : undefined
  }
}

/** Error for a hook that needs an unknown id. */
export function missingId(cause?: unknown): StreamConnectorError {
  return new StreamConnectorError(
    'EXTERNAL_ID_UNKNOWN',
    'The target has, or may have, this entity under an unknown id: the connector was killed before it could store the result of create(), or its state was lost. Nothing was changed in the target. Implement find(entity), which asks the target for the id, and replay this dead letter; or correct the entity in the target by hand and purge the dead letter.',
    { cause },
  )
}

const nothing: ReadonlyMap<string, string | undefined> = new Map()
