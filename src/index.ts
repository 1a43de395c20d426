// The connector: what authors extend, and what they are handed

export { z } from 'zod'
export { StreamConnector } from './connector/stream-connector.ts'
export { type ConnectorOptions } from './connector/contract/connector-options.ts'
export { EventContext } from './connector/contract/event-context.ts'
export { type Envelope, type PatchOperation } from './opencti/stream-event.ts'
export { type FlushOperation } from './connector/contract/hooks.ts'
export { type FlushResult } from './flow/flush-answer.ts'
export { type DeleteReason, type OperationKind } from './flow/operation.ts'
export { type StreamConnectorMessage } from './connector/intake/connector-message.ts'

// Errors: those that hooks throw, and those of this package

export {
  PermanentError,
  RetryableError,
  SkipEvent,
  StopConnector,
  type RetryableErrorOptions,
} from './errors/steering-errors.ts'
export {
  isStreamConnectorError,
  StreamConnectorError,
  type ErrorCode,
  type StreamConnectorErrorOptions,
} from './errors/stream-connector-error.ts'
export { SettingsError, type SettingProblem } from './errors/settings-error.ts'
export {
  PlatformError,
  type PlatformErrorCode,
  type PlatformErrorOptions,
  type PlatformProblem,
} from './errors/platform-error.ts'
export { StateError, type StateErrorCode } from './errors/state-error.ts'
export { StreamError, type StreamErrorCode, type StreamErrorOptions } from './errors/stream-error.ts'

// Settings

export { defineSettings, type SettingsDefinition, type SettingsSections } from './settings/define-settings.ts'
export { secret, Secret, type SecretSchema } from './settings/secret.ts'
export {
  type MetricLabels,
  type OwnCounter,
  type OwnGauge,
  type OwnMetricOptions,
  type OwnMetrics,
} from './observe/metrics/own-metrics.ts'
export { formerly } from './settings/formerly.ts'
export { type Defaults } from './settings/resolve-defaults.ts'
export { targetSettings, type TargetSection, type TargetSettings } from './settings/target-settings.ts'
export { loadSettings, type LoadedSettings, type LoadSettingsOptions } from './settings/load-settings.ts'
export { type DeepReadonly, type SectionSettings, type SettingsOf } from './settings/settings-of.ts'
export { type SettingSources } from './settings/setting-sources.ts'
export { type OpenctiSettings } from './settings/opencti-settings.ts'
export { type ConnectorSettings } from './settings/connector-settings.ts'
export {
  settingsJsonSchema,
  type SettingsJsonSchema,
  type SettingsJsonSchemaOptions,
} from './settings/settings-json-schema.ts'
export { settingsMarkdown } from './settings/settings-markdown.ts'

// Options of delivery: as they are written, and as they are in force

export {
  type BatchOptions,
  type ConnectorDefaults,
  type DeadLetterOptions,
  type HealthOptions,
  type LifecycleOptions,
  type OutageOptions,
  type QueueOptions,
  type ReconcileSettings,
  type RateLimitOptions,
  type RetryOptions,
} from './settings/connector-defaults.ts'
export {
  type FilterOptions,
  type LabelFilterOptions,
  type ResolvedFilterOptions,
} from './settings/filter-options.ts'
export { type RouteChanges, type RouteOptions } from './settings/route-options.ts'
export {
  type DeliveryOptions,
  type ResolvedBatchOptions,
  type ResolvedLifecycleOptions,
  type ResolvedOutageOptions,
  type ResolvedQueueOptions,
  type ResolvedReconcileOptions,
  type ResolvedRateLimit,
  type ResolvedRetryOptions,
  type ResolvedRoute,
  type RouteConditions,
} from './settings/delivery-options.ts'

// How a connector does

export { type ConnectorStatus } from './connector/contract/connector-status.ts'
export { type ConnectorNotice, type ConnectorState } from './connector/contract/notices.ts'
export { type BooksSnapshot, type Outcome } from './flow/books.ts'
export { type Failing } from './flow/recent-endings.ts'
export { type AskedPause } from './flow/gate.ts'
export { type RouteAccount } from './flow/routes.ts'
export { type EndpointAddresses } from './observe/observation.ts'
export { type Unreadiness } from './observe/facts/readiness.ts'

// The platform: look-ups, links, reconcile, the check of the stream

export { type LookupOptions, type PlatformLookups } from './opencti/platform-lookups.ts'
export { type AuthorInfo, type ContainedObject, type MarkingInfo } from './opencti/lookup-answers.ts'
export { type EntityLink } from './opencti/platform-knowledge.ts'
export {
  type ListedItem,
  type Listing,
  type ReconcileOptions,
  type ReconcileReport,
} from './connector/contract/reconcile-report.ts'
export { type CheckedStream } from './opencti/stream-check.ts'

// Entities: what they are

export {
  asEntity,
  type Entity,
  type EntityOf,
  type EntityType,
  type KnownEntity,
  type UnknownEntity,
  type UnknownType,
} from './stix/entity.ts'
export type {
  AttachedFile,
  EntityExtensions,
  ExternalReference,
  KillChainStep,
  LabelObject,
  MitreExtension,
  ObjectMarking,
  ObservableExtension,
  OpenCtiExtension,
  OptionalFields,
} from './stix/entity-base.ts'
export type { DomainObject, Identity, Indicator, Malware, Vulnerability } from './stix/domain-objects.ts'
export type { Container, Report } from './stix/containers.ts'
export type { Relationship, RelationshipObject, Sighting } from './stix/relationships.ts'
export type { ObservableObject } from './stix/observable-objects.ts'
export type { MarkingDefinition, MetaObject } from './stix/meta-objects.ts'
export { mitreExtension, observableExtension, openCtiExtension } from './stix/extensions.ts'

// Entities: what they say

export { entityKeyOf, octiIdOf, octiTypeOf, previousStixIdOf } from './stix/entity-ids.ts'
export { nameOf } from './stix/entity-name.ts'
export {
  createdByOf,
  descriptionOf,
  externalReferencesOf,
  killChainOf,
  labelsOf,
} from './stix/entity-text.ts'
export { confidenceOf, scoreOf, severityOf, type SeverityTable } from './stix/entity-rating.ts'
export {
  createdAtOf,
  isExpired,
  isInferred,
  isRevoked,
  updatedAtOf,
  validUntilOf,
} from './stix/entity-life.ts'
export { markingsOf, tlpOf, type Markings } from './stix/markings.ts'
export { compareTlp, parseTlp, tlpMarkingIds, tlpNames, type Tlp } from './stix/tlp.ts'
export { cvssOf, type Cvss, type CvssScores } from './stix/cvss.ts'
export { hashesOf, type Hashes, type HashName } from './stix/hashes.ts'
export { observablesOf } from './stix/observables-of.ts'
export type {
  ArtifactObservable,
  CertificateObservable,
  CompositeObservable,
  FileObservable,
  NotExpressible,
  NotExpressibleReason,
  Observable,
  ObservablesResult,
  ValueObservable,
  ValueObservableType,
} from './stix/observable.ts'
export { extensionOf, fieldOf } from './stix/entity-extensions.ts'
export { changedFieldsOf, previousOf, truncatedObjectRefs } from './stix/patches.ts'
export { referencesOf } from './stix/references-of.ts'
export { toGeneric, toIndicator, type GenericDocument, type IndicatorDocument } from './stix/transforms.ts'

// STIX patterns

export { parsePattern } from './stix/parse-pattern.ts'
export type {
  ComparisonOperator,
  ObjectPath,
  PathStep,
  PatternComparison,
  PatternExpression,
  PatternLiteral,
  PatternProblem,
  PatternQualifier,
  PatternResult,
} from './stix/pattern.ts'

// State: dead letters, the id map, positions, and where they are kept

export {
  DeadLetters,
  isReplayable,
  type DeadLetterSelection,
  type DeadLetterSummary,
  type ReplayRequest,
} from './connector/dead-letters/dead-letters.ts'
export { type ExportedDeadLetter } from './connector/dead-letters/exported-dead-letter.ts'
export { IdMap, type IdMapImport } from './connector/id-map/id-map.ts'
export {
  comparePositions,
  formatPosition,
  parsePosition,
  positionFromInput,
  startOfTime,
  type Position,
} from './opencti/position.ts'
export { SqliteStore, type SqliteStoreOptions } from './store/sqlite-store.ts'
export { MemoryStore } from './store/memory-store.ts'
export {
  type DeadLetter,
  type DeadLetterUpdate,
  type EntityRecord,
  type MaybePromise,
  type NewDeadLetter,
  type StateChanges,
  type StateOpening,
  type StateStore,
} from './store/state-store.ts'

// The client of event streams that everything stands on, for other uses

export { EventStream, type EventStreamOptions } from './stream/event-stream.ts'
export { type EventStreamHandler } from './stream/event-stream-handler.ts'
export { type OversizedFrame, type StreamMessage } from './stream/stream-message.ts'
export { type StreamNotice } from './stream/stream-notice.ts'
export { defaultStreamLimits, type StreamLimits } from './stream/stream-limits.ts'

// Time, chance and log lines, to be given from outside

export { systemClock, type Clock } from './util/clock.ts'
export { systemRandom, type BackoffBounds, type Random } from './util/backoff.ts'
export { silentLogger, type LogAttributes, type Logger } from './util/logger.ts'
