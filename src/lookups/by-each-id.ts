/** What a list of the platform tells of an object, as far as it is found again by it. */
export interface ListedNode {
  readonly id?: string | null | undefined
  readonly standard_id?: string | null | undefined
  readonly x_opencti_stix_ids?: readonly (string | null | undefined)[] | null | undefined
}

/** Listed objects by each id that they are found by; what is an id now comes before what was one formerly. */
export function byEachId<T extends ListedNode>(nodes: readonly T[]): ReadonlyMap<string, T> {
  const found = new Map<string, T>()
  for (const node of nodes) for (const id of node.x_opencti_stix_ids ?? []) if (id) found.set(id, node)
  for (const node of nodes) for (const id of [node.id, node.standard_id]) if (id) found.set(id, node)
  return found
}
