import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folderWith, minimalEnvironment } from '../../fixtures/minimal-environment.ts'

const loader = new URL('../../../src/settings/reading/load-settings.ts', import.meta.url).href
const script = `
import { loadSettings } from ${JSON.stringify(loader)}
console.log(loadSettings({ sections: {} }).settings.connector.name)
`

/** The name that a real program finds, started as `main` in `cwd`. */
function nameFound(main: string, cwd: string): string {
  const { CONNECTOR_NAME: _name, ...environment } = minimalEnvironment
  return execFileSync(process.execPath, [main], { cwd, env: environment, encoding: 'utf8' }).trim()
}

function connectorNamed(name: string): string {
  return `connector:\n  name: ${name}\n`
}

test('looks for config.yml next to the main script, above it, then in the working directory', () => {
  const root = folderWith({ 'config.yml': connectorNamed('above') })
  const cwd = folderWith({ 'config.yml': connectorNamed('working directory') })
  const main = join(root, 'src', 'main.mjs')
  mkdirSync(join(root, 'src'))
  writeFileSync(main, script)
  expect(nameFound(main, cwd)).toBe('above')
  writeFileSync(join(root, 'src', 'config.yml'), connectorNamed('beside'))
  expect(nameFound(main, cwd)).toBe('beside')
  const alone = join(folderWith({ 'main.mjs': script }), 'main.mjs')
  expect(nameFound(alone, cwd)).toBe('working directory')
  // As npm installs a program: the link lies elsewhere.
  const link = join(cwd, 'linked.mjs')
  symlinkSync(main, link)
  expect(nameFound(link, folderWith())).toBe('beside')
})

test('looks for .env in the same places, but prefers any config.yml to it', () => {
  const dotenv = 'CONNECTOR_NAME=from dotenv\n'
  const folder = folderWith({ 'main.mjs': script, '.env': dotenv })
  expect(nameFound(join(folder, 'main.mjs'), folderWith())).toBe('from dotenv')
  const cwd = folderWith({ 'config.yml': connectorNamed('from yaml') })
  expect(nameFound(join(folder, 'main.mjs'), cwd)).toBe('from yaml')
})
