// Writes how many lines each connector has into the table of examples/README.md: `npm run generate`.
import { readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'

const file = new URL('../examples/README.md', import.meta.url)
const row = /^(\| \[[a-z-]+\]\(([a-z-]+)\)(?: *\|[^|]*){3}\|)[^|]*\|/gm
const counted = readFileSync(file, 'utf8').replaceAll(row, (_, before: string, name: string) => {
  const code = readFileSync(new URL(`${name}/connector.ts`, file), 'utf8')
  return `${before} ${code.trimEnd().split('\n').length} |`
})
writeFileSync(file, await format(counted, { ...(await resolveConfig(file)), parser: 'markdown' }))
