import { readFileSync } from 'node:fs'
import { Session, type Profiler } from 'node:inspector/promises'
import { SourceMap } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Microseconds per event on the main thread, by stage. */
export type StageCosts = Readonly<Record<string, number>>

/** Sampling interval, in microseconds. */
const intervalUs = 200

const root = fileURLToPath(new URL('..', import.meta.url))

/** How much time of the main thread each stage takes while `work` runs, per event. */
export async function profiled(work: () => Promise<unknown>, events: number): Promise<StageCosts> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: intervalUs })
  await session.post('Profiler.start')
  await work()
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  const costs = new Map<string, number>()
  const parents = parentsOf(profile)
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const node = nodes.get(id)!
    const stage = stageOf(node, nodes, parents)
    if (stage !== undefined) costs.set(stage, (costs.get(stage) ?? 0) + profile.timeDeltas![index]!)
  }
  const sorted = [...costs].toSorted(([, one], [, other]) => other - one)
  return Object.fromEntries(sorted.map(([stage, us]) => [stage, us / events]))
}

function parentsOf({ nodes }: Profiler.Profile): ReadonlyMap<number, number> {
  return new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
}

/** A folder of `src` or a package; time in V8 and Node counts toward its caller. */
function stageOf(
  node: Profiler.ProfileNode,
  nodes: ReadonlyMap<number, Profiler.ProfileNode>,
  parents: ReadonlyMap<number, number>,
): string | undefined {
  const { functionName, url } = node.callFrame
  if (functionName === '(idle)' || functionName === '(root)') return undefined
  if (functionName === '(garbage collector)') return 'garbage collection'
  if (functionName === '(program)') return 'node and kernel'
  if (functionName === 'parse' && url === '') return 'JSON.parse'
  if (url === '') {
    const parent = parents.get(node.id)
    const caller = parent === undefined ? undefined : stageOf(nodes.get(parent)!, nodes, parents)
    return caller === 'store' ? 'SQLite' : (caller ?? 'node and kernel')
  }
  if (url.startsWith('node:internal/deps/undici') || url.includes('webstreams'))
    return 'fetch and web streams'
  if (url.startsWith('node:')) return 'node and kernel'
  const path = relative(root, url.startsWith('file:') ? fileURLToPath(url) : url)
  const [, dependency] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? []
  if (dependency !== undefined) return dependency
  const source = path.startsWith('dist/') ? sourceOf(path, node.callFrame) : path
  return /^(?:src|bench)\/([^/]+)/.exec(source)?.[1]?.replace(/\.ts$/, '') ?? source
}

const maps = new Map<string, SourceMap>()

function sourceOf(path: string, { lineNumber, columnNumber }: Profiler.ProfileNode['callFrame']): string {
  let map = maps.get(path)
  if (map === undefined) {
    map = new SourceMap(JSON.parse(readFileSync(`${root}${path}.map`, 'utf8')))
    maps.set(path, map)
  }
  const entry = map.findEntry(lineNumber, columnNumber)
  return 'originalSource' in entry ? entry.originalSource.replace(/^(\.\.\/)+/, '') : path
}
