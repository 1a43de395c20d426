import { copyFile } from 'node:fs/promises'
import { defineConfig } from 'tsup'

export default defineConfig((options) => ({
  entry: {
    index: 'src/index.ts',
    testing: 'src/testing/index.ts',
    cli: 'src/cli/main.ts',
    // Loaded by its name, as the main file of a thread.
    'sqlite-thread-main': 'src/store/sqlite-thread-main.ts',
  },
  format: 'esm',
  target: 'node22',
  platform: 'node',
  // node:sqlite has no other name.
  removeNodeProtocol: false,
  // One shared copy of every class between the entries, so that `instanceof` holds across them.
  splitting: true,
  sourcemap: true,
  // Only the simulator needs graphql-js: it travels in the package, so that nobody who installs that gets one more dependency.
  noExternal: ['graphql'],
  esbuildOptions: (esbuild) => {
    // Its ES modules, of which only what is used stays.
    esbuild.mainFields = ['module', 'main']
  },
  onSuccess: () => copyFile('node_modules/graphql/LICENSE', 'dist/LICENSE-graphql.txt'),
  clean: options.dts !== false,
  dts: options.dts === false ? false : { entry: { index: 'src/index.ts', testing: 'src/testing/index.ts' } },
}))
