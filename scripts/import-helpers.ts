import { readFile } from 'node:fs/promises'
import type { Options } from 'tsup'
import ts from 'typescript'

/**
 * Has TypeScript write down `using`, which Node 22 does not know, with the helpers of tslib (`importHelpers`): esbuild would
 * copy its own into the package.
 */
export const importHelpers: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'import-helpers',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      if (!/^\s*(await )?using /m.test(source)) return undefined
      const { outputText } = ts.transpileModule(source, {
        fileName: path,
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
          importHelpers: true,
          inlineSourceMap: true,
          inlineSources: true,
        },
      })
      return { loader: 'js', contents: outputText }
    })
  },
}
