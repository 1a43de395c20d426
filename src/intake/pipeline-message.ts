/** A frame of the stream, or what takes its place. */
export interface PipelineMessage {
  readonly id: string | undefined
  readonly event: string
  /** JSON text, or the parsed envelope or entity. */
  readonly data: unknown
  readonly bytes: number
  readonly truncated?: boolean | undefined
}
