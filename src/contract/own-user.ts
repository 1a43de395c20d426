/** The platform user the connector runs as. */
export interface OwnUser {
  /** OpenCTI internal id. Absent until the connector is registered. */
  id?: string | undefined
}
