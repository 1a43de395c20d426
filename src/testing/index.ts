// Time

export { ManualClock } from './manual-clock.ts'

// Simulated platform

export { Simulator, type PublishedEvent } from './simulator.ts'
export { type SimulatorOptions } from './simulator-options.ts'
export { type PlatformProfile } from './platform-profile.ts'
export { Faults } from './faults.ts'
export { type FrameCut } from './armed-faults.ts'
export { type PageOrder } from './live/catch-up.ts'
export { type Refusal } from './http/refusal.ts'

// Requests it received

export {
  type FileRequest,
  type GraphqlLogEntry,
  type SimulatedRequest,
  type StreamRequest,
} from './http/request-log.ts'

// Streams and users

export { SimulatedCollections, SimulatedUsers } from './simulated-access.ts'
export {
  connectorCapabilities,
  type Capability,
  type CollectionOptions,
  type SimulatedCollection,
  type SimulatedUser,
  type UserOptions,
} from './live/access.ts'

// Stream frames

export { type LiveConnection } from './live/live-connection.ts'
export {
  type FieldChange,
  type PatchOperation,
  type StreamContext,
  type StreamEnvelope,
  type StreamEventType,
  type StreamOrigin,
} from './live/stream-envelope.ts'

// Objects and GraphQL

export { type ReceivedPing, type RegisteredConnector } from './graphql/connector-registry.ts'
export { type LoadSummary, type StixSource } from './knowledge/bundle.ts'
export { type FileEntry, type FileInput } from './knowledge/file-storage.ts'
export { type StixChanges, type WriteOptions } from './knowledge/platform.ts'
export { type StixInput } from './knowledge/platform-shape.ts'
export {
  openCtiPropertiesOf,
  type OpenCtiProperties,
  type StixExtension,
  type StixObject,
} from './knowledge/stix-object.ts'

// Object builders

export { type BuildOptions, type BuiltObject } from './builders/build-object.ts'
export { buildIndicator, indicatorKinds, type IndicatorKind } from './builders/build-indicator.ts'
export { buildObservable, observableKinds, type ObservableKind } from './builders/build-observable.ts'
export { buildVulnerability, type CvssNames } from './builders/build-vulnerability.ts'
export {
  buildAttackPattern,
  buildCampaign,
  buildIntrusionSet,
  buildMalware,
  buildThreatActor,
  buildTool,
} from './builders/build-threats.ts'
export { buildIdentity, buildLocation } from './builders/build-identities.ts'
export {
  buildCaseIncident,
  buildCaseRfi,
  buildCaseRft,
  buildGrouping,
  buildNote,
  buildReport,
  type ContainerContent,
} from './builders/build-containers.ts'
export { buildRelationship, buildSighting } from './builders/build-relations.ts'
export {
  buildExternalReference,
  buildKillChainPhase,
  buildLabel,
  buildMarking,
  buildTlpMarking,
} from './builders/build-meta.ts'
export { buildKnowledgeBase, type KnowledgeBaseOptions } from './builders/build-knowledge-base.ts'
export { seededRandom } from './builders/seeded-random.ts'

// Recordings

export { readRecording, type ReadRecordingOptions, type RecordedMessage } from './read-recording.ts'
export { LiveChanges, type LiveChangesOptions } from './live-changes.ts'

// Acceptance of a connector at its target

export { acceptTarget } from './acceptance/accept-target.ts'
export {
  type AcceptanceOptions,
  type AcceptanceTest,
  type AcceptedTarget,
  type AcceptTargetOptions,
  type Given,
  type ProxiedAddress,
  type TargetAddress,
} from './acceptance/acceptance-options.ts'
export { type ReadContents } from './acceptance/contents.ts'
