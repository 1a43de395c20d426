import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { root, run } from './packed-package.ts'

/**
 * Bundles a program as the guide says, with the bundler that builds this package.
 *
 * @param folder where the package is installed, and the program is.
 * @param more options.
 */
export async function bundle(folder: string, program: string, output: string, more = ''): Promise<void> {
  const guide = await readFile(join(root, 'docs/guides/operations.md'), 'utf8')
  const [, recipe] = /```sh\n(npx esbuild [\s\S]*?)\nnode connector\.mjs\n```/.exec(guide)!
  const commands = join(folder, 'node_modules/.bin')
  await mkdir(commands, { recursive: true })
  await symlink(join(root, 'node_modules/esbuild/bin/esbuild'), join(commands, 'esbuild')).catch(() => {})
  const command = recipe!.replace('connector.ts', program).replace('=connector.mjs', `=${output}`)
  await run('sh', ['-c', `${command} --log-level=warning ${more}`], { cwd: folder })
}
