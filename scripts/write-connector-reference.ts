// Writes docs/reference/connector.md from the comments in the source: `npm run generate`.
import { writeFileSync } from 'node:fs'
import { connectorReference, referenceFile } from './connector-reference.ts'

writeFileSync(referenceFile, await connectorReference())
