import { type mitreExtension, type observableExtension, type openCtiExtension } from './extensions.ts'

/** `Fields` with every field optional: OpenCTI sends no empty strings, lists, or objects, and no null. */
export type OptionalFields<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined }

/** A label as in the specification and GraphQL; the live stream sends plain strings. */
export interface LabelObject {
  readonly value: string
}

/** A marking as in the specification and GraphQL; the live stream sends `object_marking_refs`. */
export interface ObjectMarking extends OptionalFields<{ id: string; standard_id: string }> {
  readonly definition_type: string
  readonly definition: string
}

/** A reference to a source outside the platform, attached to an entity. */
export interface ExternalReference extends OptionalFields<{
  source_name: string
  description: string
  url: string
  external_id: string
  hashes: Readonly<Record<string, string>>
}> {}

/** A kill chain phase, attached to an entity. */
export interface KillChainStep {
  readonly kill_chain_name: string
  readonly phase_name: string
}

/** A file attached to an entity. `uri` is a platform path (`/storage/get/…`) that requires the token. */
export interface AttachedFile extends OptionalFields<{
  name: string
  uri: string
  version: string
  mime_type: string
  object_marking_refs: readonly string[]
  data: string
}> {}

/**
 * What OpenCTI adds to every object (OpenCTI platform, database/stix-2-1-converter.ts,
 * `buildOCTIExtensions`). `id` is the OpenCTI id, which stays when the STIX id changes; `type` is the OpenCTI
 * type.
 */
export interface OpenCtiExtension extends OptionalFields<{
  extension_type: string
  id: string
  type: string
  created_at: string
  updated_at: string
  modified_at: string
  aliases: readonly string[]
  files: readonly AttachedFile[]
  stix_ids: readonly string[]
  is_inferred: boolean
  granted_refs: readonly string[]
  granted_refs_ids: readonly string[]
  creator_ids: readonly string[]
  assignee_ids: readonly string[]
  participant_ids: readonly string[]
  authorized_members: readonly unknown[]
  workflow_id: string
  labels_ids: readonly string[]
  created_by_ref_id: string
  pir_information: readonly unknown[]
  metrics: readonly unknown[]
  score: number
}> {}

/** What OpenCTI adds to standard STIX observables (`buildStixCyberObservable` in the same file). */
export interface ObservableExtension extends OptionalFields<{
  extension_type: string
  labels: readonly string[]
  description: string
  score: number
  created_by_ref: string
  external_references: readonly ExternalReference[]
  additional_names: readonly string[]
  contains_refs: readonly string[]
  product: string
}> {}

/** What OpenCTI adds for MITRE ATT&CK (`buildMITREExtensions` in the same file). */
export interface MitreExtension extends OptionalFields<{
  extension_type: string
  id: string
  detection: string
  permissions_required: readonly string[]
  platforms: readonly string[]
  collection_layers: readonly string[]
}> {}

/** Extensions of an object. `OpenCti` holds the type's additions to the OpenCTI extension. */
export interface EntityExtensions<OpenCti extends object = object> {
  readonly [openCtiExtension]?: (OpenCtiExtension & OpenCti) | undefined
  readonly [observableExtension]?: ObservableExtension | undefined
  readonly [mitreExtension]?: MitreExtension | undefined
  readonly [id: string]: object | undefined
}

/**
 * Fields any object can have. Only `id` and `type` are certain; OpenCTI sends the rest if it is not empty.
 * `created_at`, `updated_at`, `objectMarking`, and label objects are the shape of the stream connector
 * specification; the helpers read both shapes.
 */
export interface EntityBase<Type extends string, OpenCti extends object = object> extends OptionalFields<{
  spec_version: string
  extensions: EntityExtensions<OpenCti>
  object_marking_refs: readonly string[]
  created_by_ref: string
  external_references: readonly ExternalReference[]
  labels: readonly (string | LabelObject)[]
  objectMarking: readonly ObjectMarking[]
  created_at: string
  updated_at: string
}> {
  /** STIX id. Can change, for example when the object is renamed; see `octiIdOf`. */
  readonly id: string
  /** STIX type. Determines which other fields there are. */
  readonly type: Type
}

/** Additional fields of domain objects and relationships (`buildStixDomain` in the same file). */
export interface DomainObjectBase<Type extends string, OpenCti extends object = object>
  extends
    EntityBase<Type, OpenCti>,
    OptionalFields<{
      created: string
      modified: string
      revoked: boolean
      confidence: number
      lang: string
    }> {}
