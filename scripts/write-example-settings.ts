// Before the package is packed: writes what OpenCTI's catalog shows of each example, for `opencti-stream create`. The examples
// are imported here, where their client libraries are installed; so it runs with `--import ./scripts/resolve-package.ts`.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exampleSettingsFile, type ExampleSettings } from '../src/cli/create/metadata-files.ts'
import { packagedExamples } from '../src/cli/create/packaged-example.ts'
import { loadConnector } from '../src/connector/load-connector.ts'
import { usualDefaults } from '../src/settings/reading/usual-defaults.ts'

const all: Record<string, ExampleSettings> = {}
for (const { name, folder } of (await packagedExamples()).values()) {
  const { connector, tools } = await loadConnector(`${folder}/main.ts`)
  const { defaults, areConditional } = usualDefaults(connector.settings, connector.defaults)
  const title = defaults.name ?? connector.name
  all[name] = {
    title,
    schema: tools.jsonSchema(connector.settings, { name: title, defaults, areConditional }),
  }
}
const file = fileURLToPath(new URL(`../${exampleSettingsFile}`, import.meta.url))
await mkdir(dirname(file), { recursive: true })
await writeFile(file, JSON.stringify(all))
// The connectors that were loaded wait for ever to be run.
process.exit(0)
