import { type z } from 'zod'
import { type SettingProblem } from '../../errors/settings-error.ts'
import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { convert } from './convert.ts'
import { type DeliveryOptions } from '../schemas/delivery-options.ts'
import { deliverySchema } from '../schemas/delivery-schema.ts'
import { issueMessage } from './issue-message.ts'
import { textOf } from '../sources/raw-value.ts'
import { defaultsBesideDelivery, deliveryFields, type SettingField } from '../schemas/setting-field.ts'
import { refusedProblem } from './setting-problems.ts'
import { type WrittenSetting, type WrittenSettings, writtenOf } from '../sources/setting-sources.ts'

/** Parsed delivery options; there is a value if there are no problems. */
export interface DeliveryResult {
  readonly value?: DeliveryOptions | undefined
  readonly problems: readonly SettingProblem[]
}

/** Reads the delivery options: operator settings over the code's defaults over the built-in ones. */
export function readDelivery(sources: WrittenSettings, defaults: ConnectorDefaults): DeliveryResult {
  const merged = copyOf(defaults) as Record<string, unknown>
  for (const { inDefaults } of defaultsBesideDelivery) delete merged[inDefaults]
  const problems: SettingProblem[] = []
  const written = new Map<SettingField, WrittenSetting>()
  for (const field of deliveryFields) {
    const setting = writtenOf(sources, field)
    if (setting === undefined) continue
    const value = isSwitchedOff(field, setting) ? undefined : convert(field.schema, setting.raw)
    const result = (field.schema as z.ZodType).safeParse(value)
    if (result.success) {
      written.set(field, setting)
      setAt(merged, field.option!, value)
    } else {
      problems.push(...result.error.issues.map((issue) => refusedProblem(field, issue, issue.path, setting)))
    }
  }
  const result = deliverySchema.safeParse(merged)
  if (result.success) return problems.length === 0 ? { value: result.data, problems } : { problems }
  const refused = result.error.issues.map((issue): SettingProblem => {
    const field = deliveryFields.find(({ option }) =>
      option!.every((name, index) => issue.path[index] === name),
    )
    if (field !== undefined) {
      return refusedProblem(field, issue, issue.path.slice(field.option!.length), written.get(field))
    }
    return codeProblem(issue)
  })
  return { problems: [...problems, ...refused] }
}

/** `none` clears the value from the code for any option that can be unset. */
function isSwitchedOff(field: SettingField, { raw }: WrittenSetting): boolean {
  if (!/^(?:none|off|no|false)$/i.test(textOf(raw)?.trim() ?? '')) return false
  const result = (field.schema as z.ZodType).safeParse(undefined)
  return result.success && result.data === undefined
}

/** A mistake only code can make, such as an unknown name. Names in code are not secret. */
function codeProblem(issue: z.core.$ZodIssue): SettingProblem {
  const where = ['static defaults', ...issue.path.map(String)].join('.')
  const message =
    issue.code === 'unrecognized_keys'
      ? `has no option ${issue.keys.join(', ')}`
      : issueMessage(issue, deliverySchema, issue.path, [])
  return { yamlPath: where, message, remedy: 'Fix the connector’s code.' }
}

/** Copies nested plain objects; passes anything else through. */
function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copyOf(inner)]))
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path
  if (rest.length === 0) {
    if (value === undefined) delete target[name!]
    else target[name!] = value
    return
  }
  const inner = target[name!]
  const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
  target[name!] = next
  setAt(next, rest, value)
}
