// The connector

export { z } from 'zod'
export { type KyInstance } from 'ky'
export { StreamConnector } from './connector/stream-connector.ts'
export { type ConnectorOptions } from './contract/connector-options.ts'
export { EventContext } from './contract/event-context.ts'
export { type Envelope, type PatchOperation } from './opencti/stream-event.ts'
export { type SnapshotContext, type SnapshotJob } from './contract/snapshot.ts'
export { type ConnectorList } from './snapshots/list-files.ts'
export { type KeyedItem } from './items/keyed-item.ts'
export { combineItems } from './items/combine-items.ts'
export { type Claim, type ClaimPlace, type ItemRecord } from './store/state-store.ts'
export { type FlushOperation, type TargetHooks } from './contract/hooks.ts'
export { type FlushResult } from './flow/flush-answer.ts'
export { type DeleteReason, type OperationKind } from './events/operation.ts'
export { type StreamConnectorMessage } from './intake/connector-message.ts'

// Errors

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

export {
  defineSettings,
  type NoSettings,
  type SettingsDefinition,
  type SettingsSections,
} from './settings/schemas/define-settings.ts'
export { secret, Secret, type SecretSchema } from './util/secret.ts'
export {
  type MetricLabels,
  type OwnCounter,
  type OwnGauge,
  type OwnMetricOptions,
  type OwnMetrics,
} from './observe/metrics/own-metrics.ts'
export { formerly } from './settings/schemas/formerly.ts'
export { type Defaults } from './settings/reading/resolve-defaults.ts'
export { targetSettings, type TargetSection } from './settings/schemas/target-section.ts'
export { type TargetSettings } from './settings/schemas/target-settings.ts'
export {
  loadSettings,
  type LoadedSettings,
  type LoadSettingsOptions,
} from './settings/reading/load-settings.ts'
export { type DeepReadonly, type SectionSettings, type SettingsOf } from './settings/schemas/settings-of.ts'
export { type SettingSources } from './settings/sources/setting-sources.ts'
export { type OpenctiSettings } from './settings/schemas/opencti-settings.ts'
export { type ConnectorSettings } from './settings/schemas/connector-settings.ts'
export {
  settingsJsonSchema,
  type SettingsJsonSchema,
  type SettingsJsonSchemaOptions,
} from './settings/documents/settings-json-schema.ts'
export { settingsMarkdown } from './settings/documents/settings-markdown.ts'

// Delivery options

export {
  type BatchOptions,
  type DeadLetterOptions,
  type HealthOptions,
  type LifecycleOptions,
  type OutageOptions,
  type QueueOptions,
  type ReconcileSettings,
  type SnapshotOptions,
  type RateLimitOptions,
  type RetryOptions,
} from './settings/schemas/group-options.ts'
export { type ConnectorDefaults } from './settings/schemas/connector-defaults.ts'
export {
  type FilterOptions,
  type LabelFilterOptions,
  type ResolvedFilterOptions,
} from './settings/schemas/filter-options.ts'
export { type RouteChanges, type RouteOptions } from './settings/schemas/route-options.ts'
export {
  type DeliveryOptions,
  type ResolvedBatchOptions,
  type ResolvedLifecycleOptions,
  type ResolvedOutageOptions,
  type ResolvedQueueOptions,
  type ResolvedReconcileOptions,
  type ResolvedSnapshotOptions,
  type ResolvedRetryOptions,
} from './settings/schemas/delivery-options.ts'
export { type ResolvedRateLimit } from './settings/schemas/rate-limit-schema.ts'
export { type ResolvedRoute, type RouteConditions } from './settings/schemas/route-schema.ts'

// Status and notices

export { type ConnectorStatus } from './observe/connector-status.ts'
export { type ClusterFacts, type CopyFacts, type CopyReport } from './observe/facts/cluster-facts.ts'
export { type ConnectorNotice, type ConnectorState } from './contract/notices.ts'
export { type EventCounts, type Outcome } from './events/event-counters.ts'
export { type Failing } from './events/event-counters.ts'
export { type AskedPause } from './flow/gate.ts'
export { type RouteAccount } from './flow/engine.ts'
export { type EndpointAddresses } from './observe/observation.ts'
export { type Unreadiness } from './observe/facts/readiness.ts'

// Platform: lookups, links, reconciliation, stream validation

export { type LookupOptions, type PlatformLookups } from './lookups/platform-lookups.ts'
export { type AuthorInfo, type ContainedObject, type MarkingInfo } from './lookups/lookup-answers.ts'
export { type EntityLink } from './lookups/platform-knowledge.ts'
export {
  type ListedItem,
  type Listing,
  type ReconcileOptions,
  type ReconcileReport,
} from './contract/reconcile-report.ts'
export { type CheckedStream } from './opencti/stream-check.ts'

// Entities and STIX patterns, also exported by "opencti-stream-connector/stix"

export * from './stix/index.ts'

// Lists of values for a target

export { itemKey } from './lists/item-key.ts'
export { type ItemKind } from './lists/canonical-value.ts'
export { type HashKind } from './lists/canonical-hash.ts'
export { itemsOf, type ItemsResult, type NotAnItem, type ValueItem } from './lists/items-of.ts'
export { writeList, type ListFile, type WriteListOptions } from './lists/write-list.ts'
export { ServedLists, type PublishedFile, type ServedVersion } from './lists/served-lists.ts'
export { listBody, type ListBody } from './lists/list-body.ts'
export { rpzName, type RpzName } from './lists/rpz-name.ts'
export { formatList, type FormattedList } from './lists/format-list.ts'
export { type LeftOut, type LeftOutItem, type ListItem, type ListItems } from './lists/list-item.ts'
export {
  type CsvOptions,
  type HostsOptions,
  type JsonLinesOptions,
  type ListOptions,
  type PlainOptions,
  type RpzOptions,
} from './lists/list-options.ts'

// State: dead letters, id map, positions, stores

export {
  DeadLetters,
  isReplayable,
  type DeadLetterSelection,
  type DeadLetterSummary,
  type ReplayRequest,
} from './dead-letters/dead-letters.ts'
export { type ExportedDeadLetter } from './dead-letters/exported-dead-letter.ts'
export { IdMap, type IdMapImport } from './id-map/id-map.ts'
export {
  comparePositions,
  formatPosition,
  parsePosition,
  startOfTime,
  type Position,
} from './util/position.ts'
export { positionFromInput } from './settings/schemas/read-beginning.ts'
export { SqliteStore, type SqliteStoreOptions } from './store/sqlite-store.ts'
export { MemoryStore } from './store/memory-store.ts'
export {
  type DeadLetter,
  type DeadLetterUpdate,
  type EntityRecord,
  type MaybePromise,
  type NewDeadLetter,
  type StateChanges,
  type StateExamination,
  type StateLease,
  type StateOpening,
  type StateOpenOptions,
  type StateStore,
  type StateWait,
} from './store/state-store.ts'

// Event stream client, for other uses

export { EventStream, type EventStreamOptions } from './stream/event-stream.ts'
export { type EventStreamHandler } from './stream/event-stream-handler.ts'
export { type OversizedFrame, type StreamMessage } from './stream/stream-message.ts'
export { type StreamNotice } from './stream/stream-notice.ts'
export { defaultStreamLimits, type StreamLimits } from './stream/stream-limits.ts'

// Clock, randomness, and logging

export { systemClock, type Clock } from './util/clock.ts'
export { systemRandom, type BackoffBounds, type Random } from './util/backoff.ts'
export { silentLogger, type LogAttributes, type Logger } from './util/logger.ts'
