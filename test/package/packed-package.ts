import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const run = promisify(execFile)
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** What a copy of the project is without: what others make of it, and what may be a developer's own. */
const left = new Set(['.git', 'node_modules', 'dist', 'api', 'coverage', 'state', 'config.yml', '.env'])

/** The package of this checkout: built in a copy, since other tests may build at the same time. */
export class PackedPackage {
  /** The copy of the project. */
  readonly project: string
  /** A folder of an author's own, where the package can be installed. */
  readonly folder: string

  private constructor(place: string) {
    this.project = join(place, 'project')
    this.folder = join(place, 'author')
  }

  /** @param types whether declarations are built too, which takes longer than all the rest. */
  static async build({ types = false }: { types?: boolean } = {}): Promise<PackedPackage> {
    const made = new PackedPackage(await mkdtemp(join(tmpdir(), 'packed-')))
    await cp(root, made.project, { recursive: true, filter: (source) => !left.has(basename(source)) })
    await symlink(join(root, 'node_modules'), join(made.project, 'node_modules'))
    const tsup = join(root, 'node_modules/tsup/dist/cli-default.js')
    await run(process.execPath, [tsup, '--silent', ...(types ? [] : ['--no-dts'])], { cwd: made.project })
    await mkdir(made.folder)
    await writeFile(join(made.folder, 'package.json'), '{ "type": "module", "private": true }\n')
    return made
  }

  /** Packs what is in the copy now, and answers the path of the tarball. */
  async pack(): Promise<string> {
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', this.folder], {
      cwd: this.project,
    })
    const [packed] = Object.values(JSON.parse(stdout) as Record<string, { filename: string }>)
    return join(this.folder, packed!.filename)
  }

  /**
   * Packs, and lays it out in the author's folder as `npm install` would.
   *
   * @returns the folder of the package.
   */
  async install(): Promise<string> {
    const tarball = await this.pack()
    const modules = join(this.folder, 'node_modules')
    const target = join(modules, 'opencti-stream-connector')
    await mkdir(target, { recursive: true })
    await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', target])
    // Its dependencies are those of this checkout: the registry is not asked.
    const { dependencies } = JSON.parse(await readFile(join(target, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    for (const name of [...Object.keys(dependencies), 'typescript', '@types']) {
      await mkdir(dirname(join(modules, name)), { recursive: true })
      await symlink(join(root, 'node_modules', name), join(modules, name))
    }
    return target
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(join(this.project, '..'), { recursive: true, force: true })
  }
}
