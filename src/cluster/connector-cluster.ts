import { type CommitPart } from '../checkpoint/commit-part.ts'
import { type ClusterStages } from './cluster-copy.ts'
import { type ClusterFacts } from '../observe/facts/cluster-facts.ts'

/** The copies of a connector that share its work, as one of them sees them. Its store joins and leaves them. */
export interface ConnectorCluster {
  /** Maximum time a finished event waits to be saved, in milliseconds: what a killed copy does again. */
  readonly commitDelayMs: number
  /** Takes part in the commits that contain what events have led to, and in no others. */
  readonly part: CommitPart
  /** Whether work on an entity may begin here. @param key its key, without a route. */
  owns(key: string): boolean
  /**
   * Begins to work, and to read the stream if this copy leads. Goes on until `signal` aborts.
   *
   * @param onFailure called if this copy comes to lead and cannot read the stream, for a person.
   * @throws the same, if it leads from the start.
   */
  begin(stages: ClusterStages, signal: AbortSignal, onFailure: (error: Error) => void): Promise<void>
  /** Someone moved or reset the connector: this copy starts over, and finds that out. */
  startOver(): void
  /** All work has ended, and nothing more begins: gives the partitions back. */
  finish(): Promise<void>
  /** Undefined before {@link begin}. */
  facts(): ClusterFacts | undefined
}
