import { format, resolveConfig } from 'prettier'
import {
  Application,
  type Comment,
  type CommentDisplayPart,
  type CommentTag,
  type DeclarationReflection,
  type ProjectReflection,
  IntersectionType,
  LiteralType,
  ReflectionKind,
  ReflectionType,
  type SignatureReflection,
  type SomeType,
  UnionType,
} from 'typedoc'

/** Where the reference is. */
export const referenceFile = new URL('../docs/reference/connector.md', import.meta.url)

/** The exports in it, by chapter, in the order in which an author meets them. */
const chapters: Readonly<Record<string, readonly string[]>> = {
  Hooks: [
    'TargetHooks',
    'KeyedItem',
    'FlushOperation',
    'FlushResult',
    'SnapshotContext',
    'SnapshotJob',
    'ListedItem',
    'EntityLink',
  ],
  'What hooks are given': ['EventContext', 'DeleteReason', 'Envelope', 'PatchOperation'],
  'The base class': ['StreamConnector', 'ConnectorList', 'ReconcileOptions', 'ReconcileReport'],
  Defaults: [
    'ConnectorDefaults',
    'RateLimitOptions',
    'RetryOptions',
    'OutageOptions',
    'BatchOptions',
    'QueueOptions',
    'DeadLetterOptions',
    'LifecycleOptions',
    'SnapshotOptions',
    'ReconcileSettings',
    'HealthOptions',
    'FilterOptions',
    'LabelFilterOptions',
    'RouteOptions',
  ],
}
const explained = new Set(Object.values(chapters).flat())

/** The reference of what an author writes and receives, from the comments in the source, as TypeDoc reads them. */
export async function connectorReference(): Promise<string> {
  const application = await Application.bootstrap({
    entryPoints: ['src/index.ts'],
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    sort: ['source-order'],
  })
  const project = await application.convert()
  if (project === undefined) throw new Error('TypeDoc cannot read src/index.ts.')
  const parts = Object.entries(chapters).flatMap(([heading, names]) =>
    [`## ${heading}`].concat(names.flatMap((name) => exportText(project, name))),
  )
  const text = `# Connector reference

<!-- Generated from the comments in the source by \`npm run generate\`. Edit those instead. -->

What an author writes and receives. An editor shows the same texts. A \`MaybePromise<T>\` is a \`T\`, or a promise of one.
See [settings](settings.md) for what an operator sets, and [errors](errors.md) for error codes.

${parts.join('\n\n')}
`
  return format(text, { ...(await resolveConfig(referenceFile)), parser: 'markdown' })
}

function exportText(project: ProjectReflection, name: string): string[] {
  const found = project.getChildByName([name]) as DeclarationReflection | undefined
  if (found === undefined) throw new Error(`src/index.ts exports no ${name}.`)
  const type = found.type instanceof ReflectionType ? found.type.declaration : found
  const members = (type.children ?? []).filter(isShown).flatMap(memberText)
  if (members.length === 0) members.push(partsText(found.type!))
  return [`### ${name}`, ...about(found.comment, name), ...members]
}

/** What is inherited has its own chapter. Nobody calls what has a symbol for a name. */
function isShown(member: DeclarationReflection): boolean {
  return (
    member.inheritedFrom === undefined &&
    member.kind !== ReflectionKind.Constructor &&
    /^\w/.test(member.name)
  )
}

function memberText(member: DeclarationReflection): string[] {
  const method = member.signatures?.[0]
  const signature = method ?? member.getSignature
  const type = signature?.type ?? member.type
  const name = `${member.flags.isStatic ? 'static ' : ''}${member.name}${member.flags.isOptional ? '?' : ''}`
  const title = codeOf(`${name}${method === undefined ? '' : parametersOf(method)}: ${type}`)
  return [`#### ${title}`, ...about(signature?.comment ?? member.comment, member.getFullName(), method)]
}

function parametersOf({ parameters = [] }: SignatureReflection): string {
  const texts = parameters
    .filter(({ name }) => name !== 'this')
    .map(
      ({ name, type, flags, defaultValue }) =>
        `${name}${flags.isOptional || defaultValue !== undefined ? '?' : ''}: ${type}`,
    )
  return `(${texts.join(', ')})`
}

/** The parts of a type that is made of others, one by one, with what is said of their properties. */
function partsText(type: SomeType): string {
  const isMade = type instanceof UnionType || type instanceof IntersectionType
  if (!isMade || type.types.every((each) => each instanceof LiteralType)) return codeOf(type)
  const parts = type.types.map((each) => `- ${codeOf(each)}${propertiesOf(each)}`)
  return `${type instanceof UnionType ? 'One of:' : 'All of:'}\n\n${parts.join('\n')}`
}

function propertiesOf(type: SomeType): string {
  const properties = type instanceof ReflectionType ? (type.declaration.children ?? []) : []
  return properties
    .filter(({ comment }) => comment !== undefined)
    .map(
      (each) =>
        `\n  - ${codeOf(each.name)}: ${about(each.comment, each.name).join(' ').replaceAll('\n', ' ')}`,
    )
    .join('')
}

/** The paragraphs of a comment, without its examples. */
function about(comment: Comment | undefined, name: string, method?: SignatureReflection): string[] {
  if (comment === undefined) throw new Error(`${name} has no comment that says what it is.`)
  const parameters = method?.parameters ?? []
  return [
    prose(comment.summary),
    ...parameters.flatMap((each) =>
      each.comment === undefined ? [] : [`${codeOf(each.name)}: ${prose(each.comment.summary)}`],
    ),
    ...comment.blockTags.flatMap(tagText),
  ].filter((paragraph) => paragraph !== '')
}

function tagText({ tag, content }: CommentTag): string[] {
  if (tag === '@returns') return [`Returns ${prose(content)}`]
  if (tag === '@throws') return [`Throws ${prose(content)}`]
  if (tag !== '@default') return []
  // TypeDoc takes it for code, which a sentence is not.
  const text = prose(content).replaceAll(/^```ts\n|\n```$/g, '')
  return [`Default: ${/^[a-z`].* /i.test(text) ? text : codeOf(text)}.`]
}

function prose(parts: readonly CommentDisplayPart[]): string {
  return parts
    .map((part) => {
      if (part.kind !== 'inline-tag') return part.text
      const name = codeOf(part.text)
      return explained.has(part.text) ? `[${name}](#${part.text.toLowerCase()})` : name
    })
    .join('')
    .trim()
}

/** In code font, with our quotation marks. */
function codeOf(text: string | SomeType): string {
  return `\`${String(text).replaceAll('"', "'")}\``
}
