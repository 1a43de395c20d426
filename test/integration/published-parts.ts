import { openCtiPropertiesOf, type Simulator } from 'opencti-stream-connector/testing'

/** What has to be told, as `key@position`: of each event its entity, and of each merge its sources too. */
export function publishedParts(simulator: Simulator): Set<string> {
  return new Set(
    simulator.history.flatMap(({ id, type, data, envelope }) => {
      const sources = type === 'merge' ? (envelope.context?.sources ?? []) : []
      return [data, ...sources].map((object) => `${openCtiPropertiesOf(object).id}@${id}`)
    }),
  )
}
