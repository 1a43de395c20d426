import { type SettingProblem } from '../../errors/settings-error.ts'
import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { type RouteChanges, type RouteOptions } from '../schemas/route-options.ts'

type Routes = NonNullable<ConnectorDefaults['routes']>

/**
 * Placeholder for the routes of a connector whose code is not available. Operator changes to routes are then
 * ignored.
 */
export const routesNotKnown: Routes = Object.freeze({})

/** Result of applying an operator's changes to routes. */
export interface ChangedRoutes {
  /** Defaults from the code, with the changes applied. */
  readonly defaults: ConnectorDefaults
  readonly problems: readonly SettingProblem[]
}

/**
 * Applies an operator's route changes to the routes in the code. Only code can add a route, because the hooks
 * depend on it.
 */
export function changedRoutes(
  defaults: ConnectorDefaults,
  changes: Readonly<Record<string, RouteChanges>> = {},
): ChangedRoutes {
  if (Object.keys(changes).length === 0 || defaults.routes === routesNotKnown)
    return { defaults, problems: [] }
  const routes: Record<string, RouteOptions> = { ...defaults.routes }
  const problems: SettingProblem[] = []
  for (const [name, change] of Object.entries(changes)) {
    const route = Object.hasOwn(routes, name) ? routes[name] : undefined
    if (route === undefined) problems.push(unknownRoute(Object.keys(defaults.routes ?? {})))
    else routes[name] = changed(route, change)
  }
  return { defaults: { ...defaults, routes: routes satisfies Routes }, problems }
}

function changed(route: RouteOptions, change: RouteChanges): RouteOptions {
  const { tlp, min_tlp, max_tlp, rate_limit_per_second, rate_limit_burst, concurrency } = change
  // Markings set by an operator replace those in the code instead of adding to them.
  const markings = tlp !== undefined || min_tlp !== undefined || max_tlp !== undefined
  const changesRate = rate_limit_per_second !== undefined || rate_limit_burst !== undefined
  return {
    ...route,
    ...(markings ? { tlp, minTlp: min_tlp, maxTlp: max_tlp } : {}),
    ...(changesRate
      ? {
          rateLimit: {
            perSecond: rate_limit_per_second ?? route.rateLimit?.perSecond,
            burst: rate_limit_burst ?? route.rateLimit?.burst,
          },
        }
      : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
  }
}

function unknownRoute(names: readonly string[]): SettingProblem {
  return {
    environment: 'CONNECTOR_ROUTES',
    yamlPath: 'connector.routes',
    message: 'names a route that the connector does not have',
    remedy:
      names.length === 0
        ? 'This connector has no routes; remove it.'
        : `Its routes are: ${names.join(', ')}.`,
  }
}
