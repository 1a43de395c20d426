import { type mitreExtension, type observableExtension, type openCtiExtension } from './extensions.ts'

/** The fields of `Fields`, each of which may be absent: OpenCTI sends no empty string, list, object or null. */
export type OptionalFields<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined }

/** A label in the shape of the specification and of GraphQL; the live stream sends plain strings. */
export interface LabelObject {
  readonly value: string
}

/** A marking in the shape of the specification and of GraphQL; the live stream sends `object_marking_refs`. */
export interface ObjectMarking extends OptionalFields<{ id: string; standard_id: string }> {
  readonly definition_type: string
  readonly definition: string
}

/** A reference to something outside the platform, as it hangs on an entity. */
export interface ExternalReference extends OptionalFields<{
  source_name: string
  description: string
  url: string
  external_id: string
  hashes: Readonly<Record<string, string>>
}> {}

/** One step of a kill chain, as it hangs on an entity. */
export interface KillChainStep {
  readonly kill_chain_name: string
  readonly phase_name: string
}

/** A file attached to an entity; `uri` is a path at the platform (`/storage/get/…`) that needs the token. */
export interface AttachedFile extends OptionalFields<{
  name: string
  uri: string
  version: string
  mime_type: string
  object_marking_refs: readonly string[]
  data: string
}> {}

/**
 * What OpenCTI adds to every object (OpenCTI platform, database/stix-2-1-converter.ts, `buildOCTIExtensions`).
 * `id` is the internal id, which stays when the STIX id changes; `type` is OpenCTI's name of the type.
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

/** What OpenCTI adds to the observables of the STIX standard (`buildStixCyberObservable` in the same file). */
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

/** The extensions of an object; `OpenCti` is what its type adds to the OpenCTI extension. */
export interface EntityExtensions<OpenCti extends object = object> {
  readonly [openCtiExtension]?: (OpenCtiExtension & OpenCti) | undefined
  readonly [observableExtension]?: ObservableExtension | undefined
  readonly [mitreExtension]?: MitreExtension | undefined
  readonly [id: string]: object | undefined
}

/**
 * What every object can carry. Only `id` and `type` are certain: the rest is what OpenCTI sends when it is not
 * empty. `created_at`, `updated_at`, `objectMarking` and label objects are the shape of the specification of stream
 * connectors; the helpers read both shapes.
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
  /** The STIX id. It can change, when an object is renamed for example; see `octiIdOf`. */
  readonly id: string
  /** The STIX type; it tells which other fields there are. */
  readonly type: Type
}

/** What domain objects and relationships carry beside (`buildStixDomain` in the same file). */
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
