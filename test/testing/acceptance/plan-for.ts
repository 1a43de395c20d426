import { AcceptancePlan } from '../../../src/testing/acceptance/acceptance-plan.ts'
import { type AcceptedTarget } from '../../../src/testing/acceptance/acceptance-options.ts'
import { type DocumentStore } from './document-store.ts'

/** A small plan for one of the connectors beside this file. */
export function planFor(
  connector: string,
  store: DocumentStore,
  target: Partial<AcceptedTarget> = {},
): AcceptancePlan {
  return new AcceptancePlan({
    connector: new URL(`./connectors.ts#${connector}`, import.meta.url),
    env: store.env,
    size: 12,
    kills: 2,
    target: {
      address: { setting: 'STORE_URL', url: store.url },
      read: () => store.read(),
      reset: () => store.reset(),
      ...target,
    },
  })
}

/** Tries the first promise whose name has these words in it. */
export function trial(plan: AcceptancePlan, words: string): ReturnType<AcceptancePlan['try']> {
  return plan.try(plan.promises.find(({ name }) => name.includes(words))!)
}
