import { type Entity } from '../stix/types/entity.ts'
import { nameOf } from '../stix/read/entity-name.ts'
import { printable } from './output.ts'
import { cutTo } from './text-width.ts'

/** Names can be whole payloads. */
const maxNameCharacters = 300

/** What an entity is called, in at most so many columns of a terminal. */
export function entityTitle(entity: Entity, columns: number): string {
  return cutTo(printable(nameOf(entity).slice(0, maxNameCharacters)), columns)
}
