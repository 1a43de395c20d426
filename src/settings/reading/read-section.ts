import { type z } from 'zod'
import { type SettingProblem } from '../../errors/settings-error.ts'
import { NotASection } from '../sources/config-file.ts'
import { convert } from './convert.ts'
import { type ReceivedValue } from '../sources/echo-guard.ts'
import { isOptional } from '../schemas/inner-schema.ts'
import { issueMessage } from './issue-message.ts'
import { plainOf } from '../sources/raw-value.ts'
import { sectionFields, type SettingField } from '../schemas/setting-field.ts'
import { missingProblem, refusedProblem, remedyFor } from './setting-problems.ts'
import {
  holdsPlaceholder,
  type WrittenSetting,
  type WrittenSettings,
  writtenOf,
} from '../sources/setting-sources.ts'

/** A section to read. */
export interface SectionRequest {
  readonly name: string
  /** Object schema with the section's fields. */
  readonly object: z.ZodObject
  /** Full schema of the section, if it is more than the object. */
  readonly schema?: z.ZodType | undefined
  /** We wrote its messages, and they repeat nothing received, so there is no need to check them. */
  readonly isOurs?: boolean | undefined
  /** Values from the connector's code for unset fields. */
  readonly fallback?: Readonly<Record<string, unknown>> | undefined
}

/** Parsed section; there is a value if there are no problems. */
export interface SectionResult {
  readonly value?: unknown
  readonly problems: readonly SettingProblem[]
}

/** Reads a section: takes each field from its highest-priority source, converts it, and parses the result. */
export function readSection(sources: WrittenSettings, request: SectionRequest): SectionResult {
  if (sources.config.get(request.name) instanceof NotASection) {
    const problem = {
      yamlPath: request.name,
      message: 'must be a section with fields',
      remedy: 'Correct it in config.yml.',
    }
    return { problems: [problem] }
  }
  return new SectionReader(sources, request).read()
}

class SectionReader {
  readonly #sources: WrittenSettings
  readonly #request: SectionRequest
  readonly #fields: readonly SettingField[]
  readonly #written = new Map<string, WrittenSetting>()
  readonly #input: Record<string, unknown> = {}
  readonly #received: ReceivedValue[] = []

  constructor(sources: WrittenSettings, request: SectionRequest) {
    this.#sources = sources
    this.#request = request
    this.#fields = sectionFields(request.name, request.object)
  }

  read(): SectionResult {
    this.#collect()
    const schema = this.#request.schema ?? this.#request.object
    try {
      const result = schema.safeParse(this.#input)
      return result.success
        ? { value: result.data, problems: [] }
        : { problems: this.#problemsOf(result.error.issues) }
    } catch {
      // A transform or check of the author threw. The message may contain the value, so report only the
      // location.
      return { problems: this.#throwingFields() }
    }
  }

  #receive(value: unknown, isSecret: boolean): void {
    if (!this.#request.isOurs) this.#received.push({ value, isSecret })
  }

  #collect(): void {
    const { name, fallback = {} } = this.#request
    // Unknown fields: a strict object rejects them, a loose one keeps them.
    for (const [field, raw] of this.#sources.config.get(name) ?? []) {
      if (field === '__proto__') continue
      this.#input[field] = plainOf(raw)
      this.#receive(raw, false)
    }
    for (const field of this.#fields) {
      delete this.#input[field.field]
      const written = writtenOf(this.#sources, field)
      const raw = written === undefined ? fallback[field.field] : written.raw
      if (raw === undefined) continue
      if (written !== undefined) this.#written.set(field.field, written)
      const value = written === undefined ? raw : convert(field.schema, raw)
      this.#input[field.field] = value
      this.#receive(raw, field.isSecret)
      this.#receive(value, field.isSecret)
    }
  }

  #problemsOf(issues: readonly z.core.$ZodIssue[]): readonly SettingProblem[] {
    const problems: SettingProblem[] = []
    const missing = new Set<string>()
    for (const issue of issues) {
      const [name, ...path] = issue.path
      const field = this.#fields.find((candidate) => candidate.field === name)
      if (field === undefined) problems.push(this.#sectionProblem(issue))
      else if (field.field in this.#input) {
        problems.push(refusedProblem(field, issue, path, this.#written.get(field.field), this.#received))
      } else if (isOptional(field.schema)) {
        // A rule across fields that names an unset one.
        const remedy = `Set ${field.environment}, or ${field.yamlPath} in config.yml.`
        problems.push({ ...refusedProblem(field, issue, path, undefined, this.#received), remedy })
      } else if (!missing.has(field.field)) {
        missing.add(field.field)
        problems.push(missingProblem(field, holdsPlaceholder(this.#sources, field)))
      }
    }
    return problems
  }

  #sectionProblem(issue: z.core.$ZodIssue): SettingProblem {
    const { name, object } = this.#request
    return {
      yamlPath: name,
      message: issueMessage(issue, object, issue.path, this.#received),
      remedy: `Correct the settings that start with ${name.toUpperCase()}_, or the section ${name} in config.yml.`,
    }
  }

  #throwingFields(): readonly SettingProblem[] {
    const problems = this.#fields.flatMap((field): SettingProblem[] => {
      const { environment, yamlPath } = field
      try {
        const result = (field.schema as z.ZodType).safeParse(this.#input[field.field])
        return result.success ? [] : [...this.#problemsOf(withPath(result.error.issues, field.field))]
      } catch (error) {
        const remedy = remedyFor(field, this.#written.get(field.field))
        const isAsync = (error as Error | undefined)?.constructor?.name === '$ZodAsyncError'
        const message = isAsync
          ? 'has an asynchronous check in its schema, but settings are read synchronously'
          : 'could not be read: the schema in the connector’s code threw an error'
        return [
          { environment, yamlPath, message, remedy: isAsync ? 'Remove the check from the schema.' : remedy },
        ]
      }
    })
    if (problems.length > 0) return problems
    const message = 'could not be read: a rule over the whole section threw an error'
    return [
      {
        yamlPath: this.#request.name,
        message,
        remedy: 'Correct the section, or the rule in the connector’s code.',
      },
    ]
  }
}

function withPath(issues: readonly z.core.$ZodIssue[], field: string): readonly z.core.$ZodIssue[] {
  return issues.map((issue) => ({ ...issue, path: [field, ...issue.path] }))
}
