import { fileURLToPath } from 'node:url'
import type { Options } from 'tsup'

const main = fileURLToPath(new URL('../src/store/sqlite-thread-main.ts', import.meta.url))

/** Makes one text of the thread that commits to SQLite, and puts it where the sources name its file. */
export const inlineThread: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'inline-thread',
  setup({ esbuild, onLoad }) {
    onLoad({ filter: /sqlite-thread-url\.ts$/ }, async () => {
      const { outputFiles } = await esbuild.build({
        entryPoints: [main],
        bundle: true,
        minify: true,
        write: false,
        platform: 'node',
        format: 'esm',
        target: 'node22',
      })
      const code = JSON.stringify(outputFiles[0]!.text)
      return {
        loader: 'ts',
        contents: `export const sqliteThreadUrl = () => new URL('data:text/javascript,' + encodeURIComponent(${code}))`,
      }
    })
  },
}
