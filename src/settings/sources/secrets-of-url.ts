import { secretName } from '../../util/secret-name.ts'

/** Parts of a secret address that are shorter are no secrets by themselves: `services`, `api/v2`. */
const minValueCharacters = 8
const minSegmentCharacters = 16

/**
 * What nobody may see of an address: its password, and what its query calls a token, a key or the like. Of an address that is
 * a secret itself, as that of a web hook, also its path, its query, and what looks made up in them: servers repeat each alone.
 */
export function secretsOfUrl(text: string, isSecret: boolean): readonly string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || !URL.canParse(text)) return []
  const { href, password, pathname, search, searchParams } = new URL(text)
  const query = [...searchParams]
  const found = [password, decoded(password)]
  for (const [name, value] of query) if (secretName.test(name)) found.push(value)
  if (!isSecret) return found
  const values = query.map(([, value]) => value).filter(({ length }) => length >= minValueCharacters)
  const segments = pathname.split('/').filter(({ length }) => length >= minSegmentCharacters)
  const below = `${pathname}${search}`
  if (below.length >= minSegmentCharacters) found.push(below)
  return [href, ...found, ...values, ...segments, ...segments.map(decoded)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
