/** A platform filter, limited to what this package uses (OpenCTI platform, since 5.12). */
export interface FilterGroup {
  readonly mode: 'and'
  readonly filters: readonly { readonly key: readonly string[]; readonly values: readonly string[] }[]
  readonly filterGroups: readonly FilterGroup[]
}

/**
 * Matches internal, standard, and former STIX ids (OpenCTI platform, utils/filtering; pycti's
 * `prepare_id_filters_export`).
 */
export function filterByIds(ids: readonly string[]): FilterGroup {
  return { mode: 'and', filters: [{ key: ['ids'], values: ids }], filterGroups: [] }
}
