import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ConnectorTools, connectorMark } from './connector-tools.ts'
import { interceptStarts } from './start-interception.ts'
import { type ConnectorOptions } from '../contract/connector-options.ts'
import { type StreamConnector } from './stream-connector.ts'
import { type Defaults } from '../settings/reading/resolve-defaults.ts'
import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'

/** A connector's public interface, from any copy of this package. */
export type AnyConnector = Pick<StreamConnector, keyof StreamConnector>

/** A class that extends `StreamConnector`, from any copy of this package. */
export interface ConnectorClass {
  new (options: ConnectorOptions): AnyConnector
  readonly prototype: AnyConnector
  readonly name: string
  readonly settings: SettingsDefinition
  readonly defaults: Defaults
}

/** A connector found in a file. */
export interface LoadedConnector {
  /** Absolute path of the file. */
  readonly path: string
  readonly connector: ConnectorClass
  readonly tools: ConnectorTools
}

/** The given file is unusable: a mistake in the command line, not a failure of the connector. */
export class ModuleError extends Error {}

/**
 * Imports a file and finds its connector: the class the file runs, or else its default export, or else its
 * only exported connector class. `await SiemConnector.run()` in the file does not run.
 *
 * @param name export to take instead.
 * @throws ModuleError if the file is unusable.
 */
export async function loadConnector(file: string, name?: string): Promise<LoadedConnector> {
  const path = resolve(file)
  requireFile(file, path)
  const started = Promise.withResolvers<unknown>()
  const release = interceptStarts(started.resolve)
  let connector: unknown
  try {
    const imported = (import(pathToFileURL(path).href) as Promise<Record<string, unknown>>).then((module) =>
      name === undefined ? exportedConnector(file, module) : module[name],
    )
    // A file that awaits run() never finishes importing.
    connector = await Promise.race([started.promise, imported])
  } catch (error) {
    throw error instanceof ModuleError ? error : cannotLoad(file, error)
  } finally {
    release()
  }
  const tools = toolsOf(connector)
  if (tools === undefined) {
    throw new ModuleError(`${file} runs something that is not a connector class, so it cannot be inspected.`)
  }
  return { path, connector: connector as ConnectorClass, tools }
}

function exportedConnector(file: string, module: Record<string, unknown>): unknown {
  if (toolsOf(module['default']) !== undefined) return module['default']
  const classes = new Map<unknown, string>()
  for (const [name, value] of Object.entries(module))
    if (toolsOf(value) !== undefined) classes.set(value, name)
  if (classes.size === 1) return [...classes.keys()][0]
  if (classes.size === 0) {
    throw new ModuleError(
      `${file} neither exports nor runs a class that extends StreamConnector. Export the connector class, or name the file that does.`,
    )
  }
  throw new ModuleError(
    `${file} exports ${classes.size} connectors: ${[...classes.values()].join(', ')}. Make one the default export, or name a file that exports one of them.`,
  )
}

/** The tools of a class that can be instantiated. The base class itself has no `transform`. */
function toolsOf(value: unknown): ConnectorTools | undefined {
  if (typeof value !== 'function') return undefined
  const prototype = value.prototype as (Record<PropertyKey, unknown> & object) | undefined
  if (prototype === undefined || prototype === null) return undefined
  const isOwn = connectorMark in prototype && !Object.hasOwn(prototype, connectorMark)
  return isOwn ? (prototype[connectorMark] as ConnectorTools) : undefined
}

function requireFile(file: string, path: string): void {
  let isFile: boolean
  try {
    isFile = statSync(path).isFile()
  } catch {
    throw new ModuleError(`${file} does not exist. Name the connector file, such as src/main.ts.`)
  }
  if (!isFile) throw new ModuleError(`${file} is not a file. Name the connector file, such as src/main.ts.`)
}

/** V8's errors for an ES module loaded as CommonJS have no code. `npm init` writes that module type. */
const isOfModules = /import statement outside a module|Unexpected token 'export'|await is only valid/

/** Turns Node's reasons into what to do. */
function cannotLoad(file: string, error: unknown): ModuleError {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  const options = { cause: error }
  if (error instanceof SyntaxError && isOfModules.test(error.message)) {
    return new ModuleError(
      `${file} is an ES module, but its package.json says it is not. Set "type": "module" there: npm pkg set type=module`,
      options,
    )
  }
  switch (code) {
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return new ModuleError(
        `${file} cannot be loaded by Node ${process.versions.node}: running TypeScript requires Node 22.18 or newer. Use a newer Node, or compile the file and name the .js file.`,
        options,
      )
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return new ModuleError(
        `${file}, or a file it imports, cannot be loaded: Node only strips types from TypeScript. Replace enums, namespaces, and parameter properties, or compile the file and name the .js file.`,
        options,
      )
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return new ModuleError(
        `${file} cannot be loaded: Node does not run TypeScript in node_modules. Name the compiled .js file.`,
        options,
      )
    default:
      return new ModuleError(
        `${file} cannot be loaded: ${typeof message === 'string' ? message : 'it threw something that is not an Error'}`,
        options,
      )
  }
}
