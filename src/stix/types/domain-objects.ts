import { type DomainObjectBase, type KillChainStep, type OptionalFields } from './entity-base.ts'

/** A detection pattern, in the language named by `pattern_type`. */
export interface Indicator
  extends
    DomainObjectBase<
      'indicator',
      OptionalFields<{
        detection: boolean
        main_observable_type: string
        /** The platform's own reading of the pattern. Use `observablesOf`, which knows where it is wrong. */
        observable_values: readonly object[]
      }>
    >,
    OptionalFields<{
      name: string
      description: string
      indicator_types: readonly string[]
      pattern_version: string
      valid_from: string
      valid_until: string
      kill_chain_phases: readonly KillChainStep[]
    }> {
  readonly pattern: string
  readonly pattern_type: string
}

/** A technique. Its ATT&CK id is in the MITRE extension. */
export interface AttackPattern
  extends
    DomainObjectBase<'attack-pattern'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
      kill_chain_phases: readonly KillChainStep[]
    }> {}

/** One adversary's activity over a period of time. */
export interface Campaign
  extends
    DomainObjectBase<'campaign'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
      first_seen: string
      last_seen: string
      objective: string
    }> {}

/** A measure against an attack. */
export interface CourseOfAction
  extends DomainObjectBase<'course-of-action'>, OptionalFields<{ name: string; description: string }> {}

/** A person, organization, sector, system, or security platform, depending on OpenCTI's `type`. */
export interface Identity
  extends
    DomainObjectBase<
      'identity',
      OptionalFields<{ firstname: string; lastname: string; organization_type: string; reliability: string }>
    >,
    OptionalFields<{
      name: string
      description: string
      contact_information: string
      identity_class: string
      roles: readonly string[]
      sectors: readonly string[]
    }> {}

/** Something that happened. */
export interface Incident
  extends
    DomainObjectBase<'incident'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
      first_seen: string
      last_seen: string
      objective: string
      incident_type: string
      severity: string
      source: string
    }> {}

/** Servers, domains, and services used for a purpose. */
export interface Infrastructure
  extends
    DomainObjectBase<'infrastructure'>,
    OptionalFields<{
      name: string
      description: string
      infrastructure_types: readonly string[]
      aliases: readonly string[]
      kill_chain_phases: readonly KillChainStep[]
      first_seen: string
      last_seen: string
    }> {}

/** Activity attributed to one organization. */
export interface IntrusionSet
  extends
    DomainObjectBase<'intrusion-set'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
      first_seen: string
      last_seen: string
      goals: readonly string[]
      resource_level: string
      primary_motivation: string
      secondary_motivations: readonly string[]
    }> {}

/** A region, country, city, administrative area, or position, depending on OpenCTI's `type`. */
export interface Location
  extends
    DomainObjectBase<'location', OptionalFields<{ location_type: string }>>,
    OptionalFields<{
      name: string
      description: string
      latitude: number
      longitude: number
      precision: number
      region: string
      country: string
      administrative_area: string
      city: string
      street_address: string
      postal_code: string
    }> {}

/** Malicious software. */
export interface Malware
  extends
    DomainObjectBase<'malware'>,
    OptionalFields<{
      name: string
      description: string
      malware_types: readonly string[]
      is_family: boolean
      aliases: readonly string[]
      kill_chain_phases: readonly KillChainStep[]
      first_seen: string
      last_seen: string
      architecture_execution_envs: readonly string[]
      implementation_languages: readonly string[]
      capabilities: readonly string[]
      operating_system_refs: readonly string[]
      sample_refs: readonly string[]
    }> {}

/** Results of a malware analysis. */
export interface MalwareAnalysis
  extends
    DomainObjectBase<'malware-analysis'>,
    OptionalFields<{
      product: string
      version: string
      configuration_version: string
      modules: readonly string[]
      analysis_engine_version: string
      analysis_definition_version: string
      submitted: string
      analysis_started: string
      analysis_ended: string
      result_name: string
      result: string
      host_vm_ref: string
      operating_system_ref: string
      installed_software_refs: readonly string[]
      analysis_sco_refs: readonly string[]
      sample_ref: string
    }> {}

/** An attacking group or individual, depending on OpenCTI's `type`. */
export interface ThreatActor
  extends
    DomainObjectBase<'threat-actor'>,
    OptionalFields<{
      name: string
      description: string
      threat_actor_types: readonly string[]
      aliases: readonly string[]
      first_seen: string
      last_seen: string
      roles: readonly string[]
      goals: readonly string[]
      sophistication: string
      resource_level: string
      primary_motivation: string
      secondary_motivations: readonly string[]
      personal_motivations: readonly string[]
    }> {}

/** Legitimate software that attackers use. */
export interface Tool
  extends
    DomainObjectBase<'tool'>,
    OptionalFields<{
      name: string
      description: string
      tool_types: readonly string[]
      aliases: readonly string[]
      kill_chain_phases: readonly KillChainStep[]
      tool_version: string
    }> {}

/** A software vulnerability. Use `cvssOf` for its scores; their field names differ between versions. */
export interface Vulnerability
  extends
    DomainObjectBase<
      'vulnerability',
      OptionalFields<{
        cwe: string | readonly string[]
        cisa_kev: boolean
        epss_score: number
        epss_percentile: number
        first_seen_active: string
      }>
    >,
    OptionalFields<{ name: string; description: string }> {}

/** A channel for spreading a message (OpenCTI type). */
export interface Channel
  extends
    DomainObjectBase<'channel'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
      channel_types: readonly string[]
    }> {}

/** A narrative (OpenCTI type). */
export interface Narrative
  extends
    DomainObjectBase<'narrative'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
      narrative_types: readonly string[]
    }> {}

/** A real-world event, such as an election (OpenCTI type). */
export interface WorldEvent
  extends
    DomainObjectBase<'event'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
      event_types: readonly string[]
      start_time: string
      stop_time: string
    }> {}

/** A human language (OpenCTI type). */
export interface Language
  extends DomainObjectBase<'language'>, OptionalFields<{ name: string; aliases: readonly string[] }> {}

/** What a data source can detect (OpenCTI's form of ATT&CK's data component). */
export interface DataComponent
  extends
    DomainObjectBase<'data-component'>,
    OptionalFields<{
      name: string
      description: string
      aliases: readonly string[]
    }> {}

/** A source of detection data (OpenCTI's form of ATT&CK's data source). */
export interface DataSource
  extends
    DomainObjectBase<'data-source'>,
    OptionalFields<{ name: string; description: string; aliases: readonly string[] }> {}

/** Domain objects that do not contain others. */
export type DomainObject =
  | AttackPattern
  | Campaign
  | Channel
  | CourseOfAction
  | DataComponent
  | DataSource
  | Identity
  | Incident
  | Indicator
  | Infrastructure
  | IntrusionSet
  | Language
  | Location
  | Malware
  | MalwareAnalysis
  | Narrative
  | ThreatActor
  | Tool
  | Vulnerability
  | WorldEvent
