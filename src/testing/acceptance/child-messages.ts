import { type ConnectorStatus } from '../../observe/connector-status.ts'
import { type DeliveryOptions } from '../../settings/schemas/delivery-options.ts'

/** What a connector says about itself when it is constructed. */
export interface ConnectorDescription {
  readonly name: string
  readonly filter: Omit<DeliveryOptions['filter'], 'where'>
  readonly on: DeliveryOptions['on']
  /** The hooks that it has. */
  readonly hooks: readonly string[]
  /** Whether it has `static lists`. */
  readonly hasLists: boolean
}

/** A question to the process of a connector, about its status. */
export interface ChildRequest {
  readonly id: number
}

/** What the process of a connector tells its parent. */
export type ChildReport =
  | { readonly kind: 'made'; readonly about: ConnectorDescription }
  | { readonly kind: 'status'; readonly id: number; readonly status: ConnectorStatus | undefined }
