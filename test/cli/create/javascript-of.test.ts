import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { transform } from 'esbuild'
import { expect, test } from 'vitest'
import { javascriptOf } from '../../../src/cli/create/javascript-of.ts'
import { exampleSources, examplesFolder } from '../../fixtures/example-files.ts'

/** What a program does, without its spaces and comments. */
async function meaningOf(code: string, loader: 'ts' | 'js'): Promise<string> {
  return (await transform(code, { loader, minifyWhitespace: true, target: 'esnext' })).code
}

test.each(exampleSources)(
  'makes JavaScript of %s that does the same and that a person would write',
  async (file) => {
    const code = readFileSync(join(examplesFolder, file), 'utf8')
    const made = javascriptOf(code)
    expect(await meaningOf(made, 'js')).toBe(await meaningOf(code, 'ts'))
    // Whatever the example has of these, it has on purpose.
    for (const ugly of [/[^ ] {2,}[^ ]/, / $/m, /\n{3,}/, /, \}/, /^import \{ *\}/m, /\( | \)/])
      if (!ugly.test(code)) expect(made).not.toMatch(ugly)
  },
)

test('leaves no trace of types, of their comments, and of imports that only bring types', () => {
  const code = `import { type A, b, type C } from './a.ts'
import { type D } from './d.ts'

/** A type. */
export interface E {
  readonly f: string
}

// Another one.
type G = 'g' | "it's"

/** A class. */
export abstract class H<T extends E = E> extends b<T> implements D {
  static override readonly name = 'H' as const
  readonly #map = new Map<string, Set<number>>()
  declare ghost: string
  private i?: number
  constructor(readonly_: A, ...rest: readonly string[]) {
    super(rest!, readonly_ as unknown as C)
  }
  async j({ k }: { k: number } = { k: 1 }): Promise<void> {
    const l = <M>(m: M): m is M => m satisfies M as M
    return \`  a: string  \${l(k)}\` as never
  }
}
`
  expect(javascriptOf(code)).toBe(`import { b } from './a.ts'

/** A class. */
export class H extends b {
  static name = 'H'
  #map = new Map()
  i
  constructor(readonly_, ...rest) {
    super(rest, readonly_)
  }
  async j({ k } = { k: 1 }) {
    const l = (m) => m
    return \`  a: string  \${l(k)}\`
  }
}
`)
})

test('says what to do if types cannot be stripped', () => {
  expect(() => javascriptOf('enum A { b }')).toThrow('leave out --javascript')
})
