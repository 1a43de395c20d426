/**
 * The partition of an entity, from 0: all its events go the same way. FNV-1a over the character codes, mixed
 * at the end as in MurmurHash3 (both are in the public domain). Never change it: what a cluster holds would be
 * looked for in other partitions.
 *
 * @param entityKey without a route: every route of an entity is in the same partition.
 */
export function partitionOf(entityKey: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < entityKey.length; index++)
    hash = Math.imul(hash ^ entityKey.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions
}
