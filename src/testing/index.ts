export { ManualClock } from './manual-clock.ts'
export { Simulator, type PublishedEvent } from './simulator.ts'
export { type SimulatorOptions } from './simulator-options.ts'
export { type PlatformProfile } from './platform-profile.ts'
export { Faults, type Refusal } from './faults.ts'
export { type GraphqlLogEntry, type SimulatedRequest, type StreamRequest } from './request-log.ts'
export { SimulatedCollections, SimulatedUsers } from './simulated-access.ts'
export {
  type Capability,
  type CollectionOptions,
  type SimulatedCollection,
  type SimulatedUser,
  type UserOptions,
} from './live/access.ts'
export { type LiveConnection } from './live/live-connection.ts'
export {
  type FieldChange,
  type PatchOperation,
  type StreamContext,
  type StreamEnvelope,
  type StreamEventType,
  type StreamOrigin,
} from './live/stream-envelope.ts'
export { type ReceivedPing, type RegisteredConnector } from './graphql/connector-registry.ts'
export { type LoadSummary, type StixSource } from './knowledge/bundle.ts'
export { type StixChanges, type WriteOptions } from './knowledge/platform.ts'
export { type StixInput } from './knowledge/platform-shape.ts'
export {
  openCtiPropertiesOf,
  type OpenCtiProperties,
  type StixExtension,
  type StixObject,
} from './knowledge/stix-object.ts'
