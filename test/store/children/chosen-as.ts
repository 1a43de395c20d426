import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type StateFolder } from '../../../src/store/state-folder.ts'

const run = promisify(execFile)

/** Who asks for a folder of the state, and from where. */
export interface Asker {
  readonly uid: number | undefined
  readonly cwd: string
  readonly home: string
  readonly named: string
  readonly connectorId: string
  readonly temporary?: string | undefined
}

/** The folder that is chosen in a process of another user, which enters its working directory after it has read the program. */
export async function chosenAs({
  uid,
  cwd,
  home,
  temporary = '/tmp',
  ...options
}: Asker): Promise<StateFolder> {
  const module = fileURLToPath(new URL('../../../src/store/state-folder.ts', import.meta.url))
  const program = `
    import { chooseStateFolder } from ${JSON.stringify(module)}
    ${uid === undefined ? '' : `process.setgroups?.([]); process.setgid?.(${uid}); process.setuid?.(${uid})`}
    console.log(JSON.stringify(chooseStateFolder(${JSON.stringify(options)})))
  `
  const { stdout } = await run(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program],
    { cwd, env: { HOME: home, TMPDIR: temporary } },
  )
  return JSON.parse(stdout) as StateFolder
}
