/** A connector or its target does not keep a promise; the message says which way. */
export class AcceptanceFailure extends Error {
  override readonly name = 'AcceptanceFailure'
}
