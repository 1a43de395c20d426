import { type Entity } from '../stix/types/entity.ts'
import { nameOf } from '../stix/read/entity-name.ts'
import { printable } from './output.ts'
import { cutTo } from './text-width.ts'

/** A name can be a whole payload. */
const maxNameCharacters = 300

/** Display name of an entity, in at most this many terminal columns. */
export function entityTitle(entity: Entity, columns: number): string {
  return cutTo(printable(nameOf(entity).slice(0, maxNameCharacters)), columns)
}
