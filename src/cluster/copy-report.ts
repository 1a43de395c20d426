import { type CopyReport } from '../observe/facts/cluster-facts.ts'
import { fieldsOf } from '../stix/types/json-value.ts'
import { parsedJson } from '../util/json-text.ts'

/** Reads what another copy wrote, which may have another version. */
export function readReport(text: string): CopyReport | undefined {
  const report = fieldsOf(parsedJson(text))
  const isReport = ['received', 'delivered', 'skipped', 'deadLettered', 'inFlight'].every(
    (name) => typeof report[name] === 'number',
  )
  return isReport && Array.isArray(report['partitions']) ? (report as unknown as CopyReport) : undefined
}
