/** The ids of an object in a platform list. */
export interface ListedNode {
  readonly id?: string | null | undefined
  readonly standard_id?: string | null | undefined
  readonly x_opencti_stix_ids?: readonly (string | null | undefined)[] | null | undefined
}

/** Indexes listed objects by every id. Current ids take precedence over former ones. */
export function byEachId<T extends ListedNode>(nodes: readonly T[]): ReadonlyMap<string, T> {
  const found = new Map<string, T>()
  for (const node of nodes) for (const id of node.x_opencti_stix_ids ?? []) if (id) found.set(id, node)
  for (const node of nodes) for (const id of [node.id, node.standard_id]) if (id) found.set(id, node)
  return found
}
