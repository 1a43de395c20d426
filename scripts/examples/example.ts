import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../examples/', import.meta.url))

/** What an example says in the field `opencti` of its package.json. */
export interface ExampleNeeds {
  /** What its test runs against. */
  readonly target: string
  /** Debian packages. */
  readonly debian?: readonly string[]
  /** Requirements from PyPI. */
  readonly pypi?: readonly string[]
  /** Installs the rest, and does nothing if it is there: a program in the folder of the example. */
  readonly install?: string
}

/** An example of a connector. */
export interface Example extends ExampleNeeds {
  readonly name: string
  readonly folder: string
  readonly hasTest: boolean
}

/** The examples of these names, in this order; without names all of them. @throws Error for an unknown name. */
export function findExamples(names: readonly string[]): readonly Example[] {
  const all = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'connector.ts')))
  const unknown = names.find((name) => !all.includes(name))
  if (unknown !== undefined)
    throw new Error(`There is no example "${unknown}". There are: ${all.join(', ')}.`)
  return (names.length > 0 ? names : all).map((name) => readExample(name))
}

function readExample(name: string): Example {
  const place = join(folder, name)
  const { opencti } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as {
    opencti: ExampleNeeds
  }
  return { ...opencti, name, folder: place, hasTest: existsSync(join(place, 'connector.test.ts')) }
}
