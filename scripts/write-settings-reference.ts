// Writes docs/reference/settings.md from the one table of settings in the code: `npm run generate`.
import { writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { defineSettings } from '../src/settings/schemas/define-settings.ts'
import { settingsMarkdown } from '../src/settings/documents/settings-markdown.ts'

const text = `# Settings

The environment wins over \`config.yml\`, which wins over the defaults of the code; a \`.env\` file is read where there is no
\`config.yml\`. An empty value, and \`ChangeMe\` in any case, count as not set. All problems are reported at once.

Sections of a connector's own follow the same pattern: \`<SECTION>_<FIELD>\` and \`<section>.<field>\`.

${settingsMarkdown(defineSettings({}))}
`
const file = new URL('../docs/reference/settings.md', import.meta.url)
writeFileSync(file, await format(text, { ...(await resolveConfig(file)), parser: 'markdown' }))
