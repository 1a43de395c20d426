import { type StreamConnectorError } from '../errors/stream-connector-error.ts'

/** State that must be written together with what depends on it, in the same commit. */
export interface CommitPart {
  /**
   * Returns the values to write with the next commit, just before it; undefined removes a value.
   *
   * @param isUnsure whether the last commit may have failed, so that its values must be written again.
   */
  values(isUnsure: boolean): ReadonlyMap<string, string | undefined>
}

/** Whether the state can be written and read. */
export type StateNotice =
  | { readonly kind: 'state-not-written'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-restored' }
  | { readonly kind: 'state-not-read'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-readable' }
