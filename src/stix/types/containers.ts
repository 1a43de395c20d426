import { type DomainObjectBase, type OptionalFields } from './entity-base.ts'

/**
 * What a container carries. `object_refs` is sent even when it is empty, and may be shorter than what the platform
 * holds: see `truncatedObjectRefs`.
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

/** A report and what it speaks of. */
export interface Report
  extends
    ContainerBase<'report'>,
    OptionalFields<{
      name: string
      description: string
      report_types: readonly string[]
      published: string
    }> {}

/** Things that belong together for a reason that `context` tells. */
export interface Grouping
  extends ContainerBase<'grouping'>, OptionalFields<{ name: string; description: string; context: string }> {}

/** A remark of an analyst. */
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

/** How far an analyst agrees. */
export interface Opinion
  extends
    ContainerBase<'opinion'>,
    OptionalFields<{ explanation: string; authors: readonly string[]; opinion: string }> {}

/** What was seen on a system or network. */
export interface ObservedData
  extends
    ContainerBase<'observed-data'>,
    OptionalFields<{
      first_observed: string
      last_observed: string
      number_observed: number
    }> {}

/** A case of incident response (OpenCTI's own type). */
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

/** A request for information (OpenCTI's own type). */
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

/** A request for takedown (OpenCTI's own type). */
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

/** Feedback on content of the platform (OpenCTI's own type). */
export interface Feedback
  extends ContainerBase<'feedback'>, OptionalFields<{ name: string; description: string; rating: number }> {}

/** Something to do in a case (OpenCTI's own type). */
export interface Task
  extends ContainerBase<'task'>, OptionalFields<{ name: string; description: string; due_date: string }> {}

/** Every domain object that holds others. */
export type Container =
  CaseIncident | CaseRfi | CaseRft | Feedback | Grouping | Note | ObservedData | Opinion | Report | Task
