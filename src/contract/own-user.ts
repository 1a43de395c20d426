/** The connector's own user at the platform. */
export interface OwnUser {
  /** OpenCTI's internal id of it; absent until the connector is registered. */
  id?: string | undefined
}
