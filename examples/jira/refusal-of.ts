type Fields = Readonly<Record<string, unknown>>

/** A document of {@link https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/ | ADF}. */
export interface AdfNode {
  readonly type?: unknown
  readonly version?: unknown
  readonly text?: unknown
  readonly content?: readonly AdfNode[]
}

/** The fields of an issue, by id. */
export const fieldNames: Readonly<Record<string, string>> = {
  summary: 'Summary',
  issuetype: 'Issue Type',
  project: 'Project',
  description: 'Description',
  labels: 'Labels',
  priority: 'Priority',
}

/**
 * Why Jira Cloud does not take the fields of an issue; undefined if it does. The texts are those of Jira, as
 * https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/ and its issue tracker show them.
 *
 * @param required fields that the project requires besides its own.
 */
export function refusalOf(fields: Fields, required: Readonly<Record<string, string>> = {}, isNew: boolean) {
  const problems = { ...problemsOf(fields, required), ...(isNew && missingOf(fields, required)) }
  if (Object.keys(problems).length > 0) return errors([], problems)
  return hasEmptyText(fields['description'] as AdfNode | undefined) ? errors(['INVALID_INPUT']) : undefined
}

/** An error as Jira tells it. */
export function errors(errorMessages: readonly string[], problems: Readonly<Record<string, string>> = {}) {
  return { errorMessages, errors: problems }
}

export const notADocument =
  'Operation value must be an Atlassian Document (see the Atlassian Document Format)'

export function isDocument(value: unknown): value is AdfNode {
  const { type, version, content } = (value ?? {}) as AdfNode
  return type === 'doc' && version === 1 && Array.isArray(content)
}

export function textOf(node: AdfNode | undefined): string {
  return typeof node?.text === 'string' ? node.text : (node?.content ?? []).map(textOf).join('\n')
}

function problemsOf(fields: Fields, required: Readonly<Record<string, string>>): Record<string, string> {
  const problems: Record<string, string> = {}
  const { summary, description, labels, priority, project, issuetype } = fields
  for (const name of Object.keys(fields))
    if (!(name in fieldNames) && !(name in required))
      problems[name] = `Field '${name}' cannot be set. It is not on the appropriate screen, or unknown.`
  if (project !== undefined && nameOf(project) !== 'SOC') problems['project'] = 'valid project is required'
  if (issuetype !== undefined && nameOf(issuetype) !== 'Task')
    problems['issuetype'] = 'Specify a valid issue type'
  if (summary !== undefined) {
    if (typeof summary !== 'string' || summary.trim() === '')
      problems['summary'] = 'You must specify a summary of the issue.'
    else if (/[\r\n]/.test(summary))
      problems['summary'] = 'The summary is invalid because it contains newline characters.'
    else if (summary.length > 255) problems['summary'] = "Summary can't exceed 255 characters."
  }
  if (description !== undefined) {
    if (!isDocument(description)) problems['description'] = notADocument
    // Counted in the strictest way, the document as JSON (https://jira.atlassian.com/browse/JRACLOUD-68949).
    else if (JSON.stringify(description).length > 32_767)
      problems['description'] =
        'The entered text is too long. It exceeds the allowed limit of 32,767 characters.'
  }
  for (const label of (labels ?? []) as string[])
    if (/\s/.test(label)) problems['labels'] = `The label '${label}' contains spaces which is invalid.`
  if (priority !== undefined && !priorities.has(nameOf(priority)))
    problems['priority'] = 'The priority selected is invalid.'
  return problems
}

const priorities = new Set(['Highest', 'High', 'Medium', 'Low', 'Lowest'])

function nameOf(value: unknown): string {
  const { key, name } = value as Readonly<Record<string, string | undefined>>
  return key ?? name ?? ''
}

function missingOf(fields: Fields, required: Readonly<Record<string, string>>): Record<string, string> {
  const all = { ...required, summary: 'Summary', project: 'Project', issuetype: 'Issue Type' }
  const missing = Object.entries(all).filter(([name]) => fields[name] === undefined)
  return Object.fromEntries(missing.map(([id, name]) => [id, `${name} is required.`]))
}

/** https://developer.atlassian.com/platform/framework/adf-builder/reference/nodes/text/ */
function hasEmptyText(node: AdfNode | undefined): boolean {
  if (node?.type === 'text') return typeof node.text !== 'string' || node.text === ''
  return node?.content?.some(hasEmptyText) === true
}
