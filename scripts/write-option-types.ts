// Writes the interfaces of options from their schemas: `npm run generate`.
import { writeFileSync } from 'node:fs'
import { optionTypes } from './option-types.ts'

for (const [file, text] of await optionTypes()) writeFileSync(file, text)
