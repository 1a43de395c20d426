import { firstPlace, type Difference } from './contents.ts'

/** Longest content in a message, in characters. */
const maxText = 300

/** Which entity a key belongs to, and what happened to it, in words; undefined if nobody knows. */
export type Biography = (difference: Difference) => string | undefined

/** The first difference in words, and how many more there are. */
export function describeDifferences(differences: readonly Difference[], biography: Biography): string {
  const [first] = differences
  if (first === undefined) return 'There is no difference.'
  const about = biography(first)
  const counts = Object.entries(verdicts)
    .map(([kind, verdict]) => [differences.filter((each) => each.kind === kind).length, verdict] as const)
    .filter(([count]) => count > 0)
    .map(([count, verdict]) => `${count} ${verdict}`)
  return [
    `The target differs from the platform: ${counts.join(', ')}. The first:`,
    `  ${textOf(first.key)} ${describe(first)}`,
    ...(about === undefined ? [] : [`  ${about}`]),
  ].join('\n')
}

const verdicts: Readonly<Record<Difference['kind'], string>> = {
  missing: 'missing',
  surplus: 'that should not be there',
  different: 'with other content',
  repeated: 'there more than once',
}

function describe({ kind, wanted, found }: Difference): string {
  if (kind === 'missing') return `is missing; it should be ${textOf(wanted)}`
  if (kind === 'surplus') return `should not be there; it is ${textOf(found)}`
  if (kind === 'repeated') return `is there more than once: ${textOf(found)}`
  const place = firstPlace(wanted, found)
  const where = place.path === '' ? '' : `at ${place.path} `
  return `${where}should be ${textOf(place.wanted)}; it is ${textOf(place.found)}`
}

/** A content as JSON, shortened. */
export function textOf(content: unknown): string {
  const text = JSON.stringify(content) ?? 'nothing'
  return text.length > maxText ? `${text.slice(0, maxText)} …` : text
}
