import { copyFile, writeFile } from 'node:fs/promises'
import { defineConfig } from 'tsup'
import { importHelpers } from './scripts/import-helpers.ts'
import { inlineProgram } from './scripts/inline-program.ts'

/** What authors import; each can be had by `require` too. */
const doors = {
  index: 'src/index.ts',
  testing: 'src/testing/index.ts',
  stix: 'src/stix/index.ts',
  redis: 'src/redis/index.ts',
  postgresql: 'src/postgresql/index.ts',
}

const checkNode = './check-node.cjs'

export default defineConfig((options) => ({
  entry: { ...doors, 'command-line': 'src/cli/main.ts' },
  format: 'esm',
  target: 'node22',
  platform: 'node',
  // node:sqlite has no other name.
  removeNodeProtocol: false,
  // One shared copy of every class between the entries, so that `instanceof` holds across them.
  splitting: true,
  // The maps carry the sources, which are not in the package beside them.
  sourcemap: true,
  // Before all other imports of the file, which are evaluated in their order.
  banner: { js: `import '${checkNode}';` },
  esbuildPlugins: [importHelpers, inlineProgram],
  // Only the simulator needs graphql-js: it travels in the package, so that nobody who installs that gets one more dependency.
  noExternal: ['graphql'],
  esbuildOptions: (esbuild) => {
    // Its ES modules, of which only what is used stays.
    esbuild.mainFields = ['module', 'main']
  },
  onSuccess: async () => {
    await copyFile('src/check-node.cjs', `dist/${checkNode}`)
    await copyFile('src/cli/bin.js', 'dist/cli.js')
    await copyFile('node_modules/graphql/LICENSE', 'dist/LICENSE-graphql.txt')
    for (const door of Object.keys(doors)) {
      // The very same module: a Node without require() for ES modules is too old, and says so here.
      await writeFile(
        `dist/${door}.cjs`,
        `require('${checkNode}')\nmodule.exports = require('./${door}.js')\n`,
      )
    }
  },
  clean: options.dts !== false,
  // What only this package uses of a class that authors are handed is not offered to them by an editor.
  dts: options.dts === false ? false : { entry: doors, compilerOptions: { stripInternal: true } },
}))
