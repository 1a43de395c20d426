import { type DomainObjectBase, type OptionalFields } from './entity-base.ts'

/**
 * Common fields of containers. `object_refs` is sent even if empty, and can be shorter than on the platform:
 * see `truncatedObjectRefs`.
 */
interface ContainerBase<Type extends string> extends DomainObjectBase<
  Type,
  OptionalFields<{
    content: string
    content_mapping: string
    object_refs_inferred: readonly string[]
    reliability: string
  }>
> {
  readonly object_refs?: readonly string[] | undefined
}

/** A report and its contents. */
export interface Report
  extends
    ContainerBase<'report'>,
    OptionalFields<{
      name: string
      description: string
      report_types: readonly string[]
      published: string
    }> {}

/** Objects that share a context, named in `context`. */
export interface Grouping
  extends ContainerBase<'grouping'>, OptionalFields<{ name: string; description: string; context: string }> {}

/** An analyst's note. */
export interface Note
  extends
    ContainerBase<'note'>,
    OptionalFields<{
      abstract: string
      content: string
      authors: readonly string[]
      note_types: readonly string[]
      likelihood: number
    }> {}

/** How strongly an analyst agrees. */
export interface Opinion
  extends
    ContainerBase<'opinion'>,
    OptionalFields<{ explanation: string; authors: readonly string[]; opinion: string }> {}

/** What was observed on a system or network. */
export interface ObservedData
  extends
    ContainerBase<'observed-data'>,
    OptionalFields<{
      first_observed: string
      last_observed: string
      number_observed: number
    }> {}

/** An incident response case (OpenCTI type). */
export interface CaseIncident
  extends
    ContainerBase<'case-incident'>,
    OptionalFields<{
      name: string
      description: string
      severity: string
      priority: string
      response_types: readonly string[]
    }> {}

/** A request for information (OpenCTI type). */
export interface CaseRfi
  extends
    ContainerBase<'case-rfi'>,
    OptionalFields<{
      name: string
      description: string
      severity: string
      priority: string
      information_types: readonly string[]
    }> {}

/** A request for takedown (OpenCTI type). */
export interface CaseRft
  extends
    ContainerBase<'case-rft'>,
    OptionalFields<{
      name: string
      description: string
      severity: string
      priority: string
      takedown_types: readonly string[]
    }> {}

/** Feedback on platform content (OpenCTI type). */
export interface Feedback
  extends ContainerBase<'feedback'>, OptionalFields<{ name: string; description: string; rating: number }> {}

/** A task in a case (OpenCTI type). */
export interface Task
  extends ContainerBase<'task'>, OptionalFields<{ name: string; description: string; due_date: string }> {}

/** Domain objects that contain others. */
export type Container =
  CaseIncident | CaseRfi | CaseRft | Feedback | Grouping | Note | ObservedData | Opinion | Report | Task
