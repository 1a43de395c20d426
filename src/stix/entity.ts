/** Any object that OpenCTI streams. */
export interface Entity {
  readonly id: string
  readonly type: string
}
