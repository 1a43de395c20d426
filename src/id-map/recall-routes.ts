import { type Route, type Routes } from '../events/routes.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Logger } from '../util/logger.ts'
import { parsedJson } from '../util/json-text.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/**
 * Stores this run's routes before anything uses them, and recalls those of earlier runs: what was pushed
 * through a former route is removed with its entity's next event, so nothing stays in two places unnoticed.
 *
 * @returns the former routes.
 */
export async function recallRoutes(
  routes: Routes,
  { store, idMap, logger }: RecallOptions,
): Promise<readonly Route[]> {
  const text = await store.value(storedValues.routes)
  // Most connectors never have routes.
  if (text === undefined && routes.areNone) return []
  const former = text === undefined ? await unnamedIfAny(store) : namesOf(text)
  const present = routes.unrouted === 'delivers' ? [''] : routes.all.map(({ name }) => name)
  const all = [...new Set([...former, ...present])]
  if (all.length > former.length || text === undefined) {
    await store.commit({ values: new Map([[storedValues.routes, JSON.stringify(all)]]) })
  }
  if (!idMap) return []
  const gone = routes.recall(former)
  if (gone.length > 0) {
    logger.warn(
      'The connector no longer has these routes. It withdraws the entities pushed through them with their next events. If you only renamed a route, restore its old name',
      { routes: gone.map((name) => (name === '' ? 'none (before there were routes)' : name)) },
    )
  }
  return routes.all.filter(({ isConfigured }) => !isConfigured)
}

export interface RecallOptions {
  readonly store: StateStore
  /** Whether pushed entities are remembered. */
  readonly idMap: boolean
  readonly logger: Logger
}

/**
 * Entities of these routes (empty for none) are about to be imported. Those of unconfigured routes are
 * removed as if the connector once had them.
 */
export async function noteRoutes(store: StateStore, names: ReadonlySet<string>): Promise<void> {
  const text = await store.value(storedValues.routes)
  if (text === undefined && [...names].every((name) => name === '')) return
  const former = text === undefined ? await unnamedIfAny(store) : namesOf(text)
  const all = [...new Set([...former, ...names])]
  await store.commit({ values: new Map([[storedValues.routes, JSON.stringify(all)]]) })
}

/** A state from before this list existed, of a connector without routes. */
async function unnamedIfAny(store: StateStore): Promise<readonly string[]> {
  return (await store.entities({ limit: 1 })).length === 0 ? [] : ['']
}

function namesOf(text: string): readonly string[] {
  const names = parsedJson(text)
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []
}
