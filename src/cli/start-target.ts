import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ModuleError } from '../connector/load-connector.ts'

/** A target that runs here to try a connector with. */
export interface StartedTarget extends AsyncDisposable {
  /** The settings of a connector to it. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Starts the target in a file: calls the function that the file exports whose name begins with `start`.
 *
 * @throws ModuleError if the file has no such function. Whatever the function throws.
 */
export async function startTarget(file: string): Promise<StartedTarget> {
  const exported = (await import(pathToFileURL(resolve(file)).href).catch((error: unknown) => {
    const { message } = error as Error
    throw new ModuleError(`${file} cannot be loaded: ${message}`, { cause: error })
  })) as Readonly<Record<string, unknown>>
  const [start] = Object.entries(exported).flatMap(([name, value]) =>
    name.startsWith('start') && typeof value === 'function' ? [value as () => Promise<StartedTarget>] : [],
  )
  if (start === undefined)
    throw new ModuleError(
      `${file} starts no target: it must export a function whose name begins with "start".`,
    )
  return start()
}
