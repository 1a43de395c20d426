import {
  type ConnectorDefaults,
  type Entity,
  type EventContext,
  PermanentError,
  RetryableError,
  StreamConnector,
  defineSettings,
  descriptionOf,
  entityKeyOf,
  fieldOf,
  labelsOf,
  nameOf,
  octiTypeOf,
  targetSettings,
  tlpOf,
  z,
} from 'opencti-stream-connector'

const settings = defineSettings({
  jira: targetSettings('basic').extend({
    project_key: z.string().describe('Key of the project for new issues.'),
    issue_type: z.string().default('Task').describe('Type of new issues.'),
    gone_status: z.string().default("Won't do").describe('Status for open issues whose entity is gone.'),
    priority: z.boolean().default(true).describe('Set the priority. Off for projects without that field.'),
    fields: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('Other fields of new issues, by id, for projects that require some.'),
  }),
})

const types = ['incident', 'case-incident', 'case-rfi', 'case-rft', 'report', 'grouping']
const goneLabel = 'opencti-gone'
const priorities: Record<string, string> = {
  P1: 'Highest',
  critical: 'Highest',
  P2: 'High',
  high: 'High',
  P3: 'Medium',
  medium: 'Medium',
  P4: 'Low',
  low: 'Low',
}

/** What the connector writes into an issue (https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/). */
interface Fields {
  readonly summary: string
  readonly description: object
  readonly priority?: { readonly name: string }
}

interface Issue {
  readonly fields: {
    readonly labels: readonly string[]
    readonly status: Status
  }
}

interface Status {
  readonly name: string
  readonly statusCategory: { readonly key: string }
}

/** Opens a Jira issue for each incident, case, and report, keeps it up to date, and links it in OpenCTI. */
export class JiraConnector extends StreamConnector<typeof settings, Fields> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Jira',
    filter: { types },
    // "A few seconds to minutes": https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/
    searchLagMs: 30_000,
  } satisfies ConnectorDefaults
  readonly #site = this.settings.jira.url.replace(/\/+$/, '')
  readonly #jira = this.targetHttp(this.settings.jira).extend({
    prefix: `${this.#site}/rest/api/3`,
    // To wrong credentials, Jira says that the issue does not exist (https://jira.atlassian.com/browse/JRACLOUD-94680).
    hooks: {
      afterResponse: [
        async ({ request, response }) => {
          if (response.status !== 404 || request.url.endsWith('/myself')) return
          await this.#jira.get('myself')
          // They may have become right only in between. Whether an issue is there, only #read decides.
          if (/\/issue\/[^/]+\/transitions$/.test(request.url) || request.method === 'PUT')
            throw new RetryableError('Jira says that an issue does not exist which was there a moment ago.')
        },
      ],
    },
  })

  transform(entity: Entity): Fields {
    const urgencies = [fieldOf(entity, 'priority'), fieldOf(entity, 'severity')]
    const name = urgencies.map((urgency) => priorities[String(urgency)]).find((each) => each !== undefined)
    const facts = [
      `${octiTypeOf(entity) ?? entity.type}, ${tlpOf(entity)}`,
      shortened(`Labels: ${labelsOf(entity).join(', ') || 'none'}`, 1000),
      `${this.settings.opencti.url}/dashboard/id/${entityKeyOf(entity)}`,
    ]
    return {
      summary: shortened(nameOf(entity).replaceAll(/\s+/g, ' ').replaceAll(unwanted, ''), 255),
      description: documentOf(facts, descriptionOf(entity) ?? ''),
      ...(this.settings.jira.priority && { priority: { name: name ?? 'Medium' } }),
    }
  }

  /** Says in one line what is missing at Jira, before the first issue is written. */
  override async check(signal: AbortSignal): Promise<void> {
    const {
      project_key: project,
      issue_type: typeName,
      gone_status: status,
      fields: others,
    } = this.settings.jira
    const throwHttpErrors = (code: number) => ![401, 403, 404].includes(code)
    const me = await this.#jira.get('myself', { signal, throwHttpErrors })
    if (me.status === 401 || me.status === 403)
      throw new Error(
        'Jira refuses the credentials. Set JIRA_USERNAME to the email address of an account, and JIRA_PASSWORD to an API token of it.',
      )
    if (!me.ok || me.headers.get('content-type')?.includes('json') !== true)
      throw new Error(`${this.#site} is not the address of a Jira Cloud site: it has no REST API, version 3.`)

    const asked = { projectKey: project, permissions: permissions.join(',') }
    const rights = await this.#jira.get('mypermissions', { searchParams: asked, signal, throwHttpErrors })
    if (!rights.ok)
      throw new Error(
        `Jira has no project "${project}", or the account may not see it. Check JIRA_PROJECT_KEY.`,
      )
    const has = (await rights.json<{ permissions: Record<string, { havePermission: boolean }> }>())
      .permissions
    const lacking = permissions.filter((name) => has[name]?.havePermission !== true)
    if (lacking.length > 0)
      throw new Error(`The account lacks these permissions in the project ${project}: ${lacking.join(', ')}.`)

    const all = { searchParams: { maxResults: 200 }, signal }
    const meta = `issue/createmeta/${project}/issuetypes`
    const { issueTypes } = await this.#jira
      .get(meta, all)
      .json<{ issueTypes: { id: string; name: string }[] }>()
    const type = issueTypes.find(({ name }) => isSame(name, typeName))
    if (type === undefined)
      throw new Error(
        `The project ${project} has no issue type "${typeName}" (JIRA_ISSUE_TYPE), but ${issueTypes.map(({ name }) => name).join(', ')}.`,
      )
    const { fields } = await this.#jira.get(`${meta}/${type.id}`, all).json<{ fields: Field[] }>()
    const unknown = this.settings.jira.priority && fields.every(({ fieldId }) => fieldId !== 'priority')
    if (unknown)
      throw new Error(`The issue type "${typeName}" has no field for the priority. Set JIRA_PRIORITY=false.`)
    const given = new Set([
      ...Object.keys(others),
      'summary',
      'project',
      'issuetype',
      'description',
      'labels',
      'priority',
    ])
    const needed = fields.filter(
      (field) => field.required && !field.hasDefaultValue && !given.has(field.fieldId),
    )
    if (needed.length > 0)
      throw new Error(
        `New issues of the project ${project} need other fields: ${needed.map(({ fieldId, name }) => `${name} (${fieldId})`).join(', ')}. Set them with JIRA_FIELDS.`,
      )
    const known = await this.#jira.get(`project/${project}/statuses`, { signal }).json<TypeStatuses[]>()
    const ofType = known.find(({ name }) => isSame(name, typeName))?.statuses ?? []
    if (ofType.every(({ name }) => !isSame(name, status)))
      throw new Error(
        `Issues of the type "${typeName}" never have the status "${status}" (JIRA_GONE_STATUS), but ${ofType.map(({ name }) => name).join(', ')}.`,
      )
  }

  override async find(entity: Entity, { signal }: EventContext): Promise<string | undefined> {
    // Issue properties cannot be searched for without an app; labels can.
    const jql = `labels = "${labelOf(entity)}" ORDER BY created ASC`
    const searchParams = { jql, fields: 'labels', maxResults: 1 }
    const { issues } = await this.#jira
      .get('search/jql', { searchParams, signal })
      .json<{ issues: { key: string }[] }>()
    return issues[0]?.key
  }

  override async create(own: Fields, { entity, signal }: EventContext): Promise<string> {
    const { project_key, issue_type, fields: others } = this.settings.jira
    const place = { project: { key: project_key }, issuetype: { name: issue_type } }
    const fields = { ...others, ...place, ...own, labels: [labelOf(entity)] }
    const { key } = await this.#jira.post('issue', { json: { fields }, signal }).json<{ key: string }>()
    return key
  }

  override async update(fields: Fields, { externalId: key, signal }: EventContext): Promise<void> {
    const { labels, status } = await this.#read(key!, signal)
    const wasGone = labels.includes(goneLabel)
    if (wasGone && isSame(status.name, this.settings.jira.gone_status))
      await this.#move(key!, (to) => !isDone(to), 'an open status', signal)
    const update = wasGone ? { labels: [{ remove: goneLabel }] } : {}
    await this.#jira.put(`issue/${key}`, { json: { fields, update }, signal })
  }

  override async delete({ externalId: key, reason, signal }: EventContext): Promise<void> {
    const { labels, status } = await this.#read(key!, signal)
    const { gone_status: goneStatus } = this.settings.jira
    if (!isDone(status)) await this.#move(key!, ({ name }) => isSame(name, goneStatus), goneStatus, signal)
    if (labels.includes(goneLabel)) return
    const body = documentOf([`The entity is gone from OpenCTI: ${reason}.`], '')
    const update = { labels: [{ add: goneLabel }], comment: [{ add: { body } }] }
    await this.#jira.put(`issue/${key}`, { json: { update }, signal })
  }

  override link(key: string | undefined) {
    return { source_name: 'Jira', external_id: key, url: `${this.#site}/browse/${key}` }
  }

  /** An issue is only gone if Jira says so between two requests with the right credentials. */
  async #read(key: string, signal: AbortSignal): Promise<Issue['fields']> {
    const asked = { searchParams: { fields: 'labels,status' }, signal }
    const throwHttpErrors = (status: number) => status !== 404
    const first = await this.#jira.get(`issue/${key}`, { ...asked, throwHttpErrors })
    const answer = first.ok ? first : await this.#jira.get(`issue/${key}`, asked)
    return (await answer.json<Issue>()).fields
  }

  /** Takes the transition to a status that is wanted. Which ones there are depends on the present status. */
  async #move(
    key: string,
    isWanted: (to: Status) => boolean,
    wanted: string,
    signal: AbortSignal,
  ): Promise<void> {
    const path = `issue/${key}/transitions`
    const { transitions } = await this.#jira.get(path, { signal }).json<{ transitions: Transition[] }>()
    const transition = transitions.find(({ to }) => isWanted(to))
    if (transition === undefined)
      throw new PermanentError(
        `Jira has no transition for ${key} to ${wanted} from its present status, only: ${transitions.map(({ name, to }) => `${name} (${to.name})`).join(', ') || 'none'}.`,
      )
    await this.#jira.post(path, { json: { transition: { id: transition.id } }, signal })
  }
}

interface Transition {
  readonly id: string
  readonly name: string
  readonly to: Status
}

interface Field {
  readonly fieldId: string
  readonly name: string
  readonly required: boolean
  readonly hasDefaultValue: boolean
}

interface TypeStatuses {
  readonly name: string
  readonly statuses: readonly { readonly name: string }[]
}

const permissions = ['BROWSE_PROJECTS', 'CREATE_ISSUES', 'EDIT_ISSUES', 'TRANSITION_ISSUES', 'ADD_COMMENTS']

/** Control characters, except tabs and line feeds. */
const unwanted = /[^\P{Cc}\t\n]/gu

/** Longest text of Jira Cloud, counted with the markup around it (https://jira.atlassian.com/browse/JRACLOUD-68949). */
const maxDocument = 32_767

const labelOf = (entity: Entity) => `opencti-${entityKeyOf(entity)}`
const isDone = ({ statusCategory }: Status) => statusCategory.key === 'done'
const isSame = (one: string, other: string) => one.toLowerCase() === other.toLowerCase()

function shortened(text: string, max: number): string {
  return text.length <= max ? text : `${wellCut(text, max - 1)}…`
}

/** Never ends in half of a character. */
function wellCut(text: string, max: number): string {
  return text.slice(0, Math.max(0, max)).replace(/[\uD800-\uDBFF]$/, '')
}

/**
 * A text in the Atlassian Document Format (https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/), in which a
 * text node must not be empty; cut to what Jira takes.
 */
function documentOf(facts: readonly string[], text: string): object {
  const lines = [...facts, ...(text === '' ? [] : ['', ...text.replaceAll(unwanted, '').split('\n')])]
  const content = lines.map((text) => {
    const content = text === '' ? [] : [{ type: 'text', text }]
    return { type: 'paragraph', content }
  })
  const document = { type: 'doc', version: 1, content }
  const { length } = JSON.stringify(document)
  if (length <= maxDocument || text === '') return document
  return documentOf(facts, wellCut(text, Math.floor((text.length * maxDocument) / length) - 1))
}
