import {
  StreamConnector,
  defineSettings,
  descriptionOf,
  entityKeyOf,
  nameOf,
  targetSettings,
  z,
} from 'opencti-stream-connector'
import { type ConnectorDefaults, type Entity, type EventContext } from 'opencti-stream-connector'

const settings = defineSettings({
  jira: targetSettings('basic').extend({ project_key: z.string(), issue_type: z.string().default('Task') }),
})
const types = ['incident', 'report', 'grouping', 'case-incident', 'case-rfi', 'case-rft']
const labelOf = (entity: Entity) => `opencti-${entityKeyOf(entity)}`

/** Opens a Jira issue for each incident, report, grouping and case, keeps it up to date, and links it in OpenCTI. */
export class JiraConnector extends StreamConnector<typeof settings, object> {
  static override readonly settings = settings
  static override readonly defaults = { name: 'Jira', filter: { types } } satisfies ConnectorDefaults
  readonly #jira = this.targetHttp(this.settings.jira)

  transform(entity: Entity) {
    const { project_key: key, issue_type: name } = this.settings.jira
    const labels = [labelOf(entity)]
    const summary = nameOf(entity).replaceAll(/\s+/g, ' ').slice(0, 255)
    const description = descriptionOf(entity) ?? ''
    return { project: { key }, issuetype: { name }, summary, description, labels }
  }
  override async find(entity: Entity) {
    const searchParams = { jql: `labels = "${labelOf(entity)}"`, fields: 'key' }
    const { issues } = await this.#jira.get('search', { searchParams }).json<{ issues: { key: string }[] }>()
    return issues[0]?.key
  }
  override async create(fields: object) {
    const { key } = await this.#jira.post('issue', { json: { fields } }).json<{ key: string }>()
    return key
  }
  override async update(fields: object, { externalId }: EventContext) {
    await this.#jira.put(`issue/${externalId}`, { json: { fields } })
  }
  override async delete({ externalId, reason }: EventContext) {
    const body = `The entity is gone from OpenCTI: ${reason}.`
    await this.#jira.post(`issue/${externalId}/comment`, { json: { body } })
  }
  override link(key: string | undefined) {
    const { href: url } = new URL(`/browse/${key}`, this.settings.jira.url)
    return { source_name: 'Jira', external_id: key, url }
  }
}
