import { type ConnectorHooks } from '../contract/hooks.ts'
import { SettingsError, type SettingProblem } from '../errors/settings-error.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'

const setting = { environment: 'CONNECTOR_CLUSTER_URL', yamlPath: 'connector.cluster_url' }

/** What several copies can do without sharing the work. */
const instead =
  'Unset it. To run several copies of which one works and the others wait, set CONNECTOR_STATE_URL instead.'

/** Why items cannot be divided among copies. */
export const itemsInCluster =
  'transform() returned items with keys, and CONNECTOR_CLUSTER_URL (connector.cluster_url) is set: entities of different copies may claim the same item, and nothing would keep the order of their changes. Unset it. To run several copies of which one works and the others wait, set CONNECTOR_STATE_URL instead.'

/**
 * Refuses what cannot be divided among copies, because it concerns more than one entity at a time.
 *
 * @param hasLists whether the connector writes or serves lists of all items.
 * @throws SettingsError with all reasons.
 */
export function requireDivisible(
  hooks: ConnectorHooks,
  { ordering, reconcile }: Pick<DeliveryOptions, 'ordering' | 'reconcile'>,
  hasLists: boolean,
): void {
  const problems: SettingProblem[] = []
  const add = (message: string, remedy = instead) => problems.push({ ...setting, message, remedy })
  if (hooks.replaceAll !== undefined || hasLists)
    add('does not work with a connector that hands over whole lists: no copy has all items')
  if (hooks.combine !== undefined)
    add(
      'does not work with a connector that combines items: entities of different copies may claim the same one',
    )
  if (hooks.link !== undefined)
    add('does not work with a connector that has a link hook: a copy would not recognize the links of others')
  if (hooks.loadPosition !== undefined)
    add(
      'does not work with a connector that stores positions itself: no copy knows what the others have finished',
    )
  if (ordering !== 'entity')
    add(`does not work with CONNECTOR_ORDERING=${ordering}: copies only keep the order of each entity`)
  if (reconcile.everyMs !== undefined || reconcile.atStart)
    add(
      'does not work with comparisons of target and platform: the copy that compares does not see what the others do',
      'Unset CONNECTOR_RECONCILE_EVERY_MS and CONNECTOR_RECONCILE_AT_START (connector.reconcile). Or unset it.',
    )
  if (problems.length > 0) throw new SettingsError(problems)
}
