import { fileURLToPath } from 'node:url'
import type { Options } from 'tsup'

/** Programs of threads and processes, by the end of the file that says where each is. */
const programs: Readonly<Record<string, string>> = {
  'sqlite-thread-url.ts': '../src/store/sqlite-thread-main.ts',
  'run-connector-url.ts': '../src/testing/acceptance/run-connector.ts',
}

/** Makes one text of each program that runs in a thread or process, and puts it where the sources name its file. */
export const inlineProgram: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'inline-program',
  setup({ esbuild, onLoad }) {
    onLoad({ filter: /(?:sqlite-thread|run-connector)-url\.ts$/ }, async ({ path }) => {
      const name = Object.keys(programs).find((each) => path.endsWith(each))!
      const { outputFiles } = await esbuild.build({
        entryPoints: [fileURLToPath(new URL(programs[name]!, import.meta.url))],
        bundle: true,
        minify: true,
        write: false,
        platform: 'node',
        format: 'esm',
        target: 'node22',
      })
      const code = JSON.stringify(outputFiles[0]!.text)
      const call = name === 'sqlite-thread-url.ts' ? 'sqliteThreadUrl' : 'runConnectorUrl'
      return {
        loader: 'ts',
        contents: `export const ${call} = () => new URL('data:text/javascript,' + encodeURIComponent(${code}))`,
      }
    })
  },
}
