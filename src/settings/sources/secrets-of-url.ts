import { secretName } from '../../util/secret-name.ts'

/** Shorter parts of a secret URL are not secret on their own: `services`, `api/v2`. */
const minValueCharacters = 8
const minSegmentCharacters = 16

/** Protocols whose paths and parameters name a database or the like, which operators must see. */
const ofDatabase = /^(?:postgres(?:ql)?|rediss?|mysql|mariadb|mongodb(?:\+srv)?|amqps?):/i

/**
 * Secret parts of a URL: its password, and query parameters named token, key, and so on. If the URL itself is
 * a secret, as for a web hook, also its path, its query, and the random-looking parts of both, because
 * servers repeat those separately; but not those of a database.
 */
export function secretsOfUrl(text: string, isSecret: boolean): readonly string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return []
  if (!URL.canParse(text)) return passwordOfHosts(text)
  const { href, password, pathname, search, searchParams } = new URL(text)
  const query = [...searchParams]
  const found = [password, decoded(password)]
  for (const [name, value] of query) if (secretName.test(name)) found.push(value)
  if (!isSecret) return found
  if (ofDatabase.test(text)) return [href, ...found]
  const values = query.map(([, value]) => value).filter(({ length }) => length >= minValueCharacters)
  const segments = pathname.split('/').filter(({ length }) => length >= minSegmentCharacters)
  const below = `${pathname}${search}`
  if (below.length >= minSegmentCharacters) found.push(below)
  return [href, ...found, ...values, ...segments, ...segments.map(decoded)]
}

/** The address of a database may name several hosts, which no URL does. With one of them, it is a URL. */
function passwordOfHosts(text: string): readonly string[] {
  const [, start, query = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^@/?]*@)[^?]*(\?.*)?$/i.exec(text) ?? []
  return start === undefined ? [] : secretsOfUrl(`${start}host/${query}`, false)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
