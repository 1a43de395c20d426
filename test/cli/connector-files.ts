import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeBlocksOf } from '../docs/code-blocks.ts'

const library = new URL('../../src/index.ts', import.meta.url).href

/** The settings that the connector of the README wants beside those of every connector. */
export const readmeSettings = {
  MY_SIEM_API_BASE_URL: 'http://127.0.0.1:9',
  MY_SIEM_API_KEY: 'Zq7canary9Xv-api-key',
}

/** Writes a file of a connector that finds this package by its source. */
export async function writeConnector(folder: string, code: string, name = 'connector.ts'): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, code.replaceAll("'opencti-stream-connector'", `'${library}'`))
  return path
}

/** The connector of the README, as it stands there. */
export async function readmeConnector(): Promise<string> {
  const readme = await readFile(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')
  return codeBlocksOf(readme)[0]!.code
}

/** A connector whose hooks are given as text; it writes what it did to standard error. */
export const simpleConnector = (members = '') => `
import { StreamConnector } from 'opencti-stream-connector'
export class Simple extends StreamConnector {
  static defaults = { name: 'Simple' }
  transform(entity) { return { name: entity.name ?? entity.id } }
  create(item) { process.stderr.write('created ' + item.name + '\\n') }
  update(item) { process.stderr.write('updated ' + item.name + '\\n') }
  delete(context) { process.stderr.write('deleted ' + context.entityId + '\\n') }
  ${members}
}
`
