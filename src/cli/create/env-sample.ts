import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml'

/** `.env.sample` of a connector, from its `config.yml.sample`: the same settings under their names in the environment. */
export function envSample(configSample: string): string {
  const { contents } = parseDocument(configSample)
  if (!isMap(contents)) throw new Error('config.yml.sample does not contain any settings.')
  const sections = contents.items.map((section) => linesOf(section as Pair).join('\n'))
  return `${sections.join('\n\n')}\n`
}

function linesOf({ key, value }: Pair, prefix = ''): string[] {
  const name = `${prefix}${String(key)}`.toUpperCase()
  if (isMap(value)) {
    return [
      ...commentLines(value.commentBefore),
      ...(value as YAMLMap).items.flatMap((field) => linesOf(field as Pair, `${name}_`)),
      ...commentLines(value.comment),
    ]
  }
  const before = isScalar(key) ? key.commentBefore : undefined
  const { comment } = (value ?? {}) as { comment?: string | null }
  return [...commentLines(before), ...commentLines(comment), `${name}=${textOf(value)}`]
}

/** A list is written with commas. Quotes are only needed where `#` would begin a comment. */
function textOf(value: unknown): string {
  const plain = isScalar(value)
    ? value.value
    : ((value as { toJSON?: () => unknown } | null)?.toJSON?.() ?? '')
  const text = Array.isArray(plain) ? plain.join(',') : String(plain ?? '')
  return text.includes('#') ? `"${text}"` : text
}

function commentLines(comment: string | null | undefined): string[] {
  return comment?.split('\n').map((line) => `#${line}`) ?? []
}
