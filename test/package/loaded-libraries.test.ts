import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** What an import of the package loads: `Module._cache` has the CommonJS libraries, `moduleLoadList` the modules of Node. */
const program = `
import { createRequire } from 'node:module'
await import(process.argv[1])
const files = Object.keys(createRequire(import.meta.url).cache)
console.log(JSON.stringify([...files, ...process.moduleLoadList]))
`

test('an import of the package loads none of the libraries that only some connectors use', async () => {
  const entry = new URL('../../src/index.ts', import.meta.url).href
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, entry])
  const loaded = (JSON.parse(stdout) as string[]).join('\n')
  expect(loaded).toContain('/node_modules/pino/')
  for (const library of ['@prometheus-io/client', 'undici', '@opentelemetry/api', 'pg'])
    expect(loaded).not.toContain(`/node_modules/${library}/`)
  expect(loaded).not.toContain('NativeModule sqlite')
})
