// Also the package entry "opencti-stream-connector/stix". Must not import anything outside this folder and
// `util`.

// Entity types

export {
  asEntity,
  type Entity,
  type EntityOf,
  type EntityType,
  type KnownEntity,
  type UnknownEntity,
  type UnknownType,
} from './types/entity.ts'
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
} from './types/entity-base.ts'
export type { DomainObject, Identity, Indicator, Malware, Vulnerability } from './types/domain-objects.ts'
export type { Container, Report } from './types/containers.ts'
export type { Relationship, RelationshipObject, Sighting } from './types/relationships.ts'
export type { ObservableObject } from './types/observable-objects.ts'
export type { MarkingDefinition, MetaObject } from './types/meta-objects.ts'
export { mitreExtension, observableExtension, openCtiExtension } from './types/extensions.ts'

// Reading entities

export { entityKeyOf, octiIdOf, octiTypeOf, previousStixIdOf } from './read/entity-ids.ts'
export { nameOf } from './read/entity-name.ts'
export {
  createdByOf,
  descriptionOf,
  externalReferencesOf,
  killChainOf,
  labelsOf,
} from './read/entity-text.ts'
export { confidenceOf, scoreOf, severityOf, type SeverityTable } from './read/entity-rating.ts'
export {
  createdAtOf,
  isExpired,
  isInferred,
  isRevoked,
  updatedAtOf,
  validUntilOf,
} from './read/entity-life.ts'
export { markingsOf, tlpOf, type Markings } from './read/markings.ts'
export { compareTlp, parseTlp, tlpMarkingIds, tlpNames, type Tlp } from './read/tlp.ts'
export { cvssOf, type Cvss, type CvssScores } from './read/cvss.ts'
export { hashesOf, type Hashes, type HashName } from './types/hashes.ts'
export { observablesOf } from './read/observables-of.ts'
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
} from './types/observable.ts'
export { extensionOf, fieldOf } from './types/entity-extensions.ts'
export { changedFieldsOf, previousOf, truncatedObjectRefs } from './read/patches.ts'
export { referencesOf } from './read/references-of.ts'
export { toGeneric, toIndicator, type GenericDocument, type IndicatorDocument } from './read/transforms.ts'

// STIX patterns

export { parsePattern } from './pattern/parse-pattern.ts'
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
} from './pattern/pattern.ts'
