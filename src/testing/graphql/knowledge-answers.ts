import { isContainer, representativeOf } from '../knowledge/entity-types.ts'
import { type KnowledgeBase, type StoredObject } from '../knowledge/knowledge-base.ts'
import { textsOf } from '../knowledge/stix-object.ts'
import { canRead, type SimulatedUser } from '../live/access.ts'
import { GraphqlFailure } from './graphql-failure.ts'

/** The largest page that is answered, as the platform's (`elasticsearch:max_pagination_result`). */
const maxPage = 5000

const defaultPage = 500

/** A field of the API that {@link KnowledgeAnswers} knows. */
export type KnowledgeQuestion =
  'markingDefinition' | 'markingDefinitions' | 'identity' | 'container' | 'stixObjectOrStixRelationships'

/** Which page of a list is asked for. */
interface PageArguments {
  readonly first?: unknown
  readonly after?: unknown
}

/** Answers questions about stored objects, as far as the user may read them (OpenCTI platform, domain/container.js and others). */
export class KnowledgeAnswers {
  readonly #knowledge: KnowledgeBase

  constructor(knowledge: KnowledgeBase) {
    this.#knowledge = knowledge
  }

  resolve(
    question: KnowledgeQuestion,
    given: Readonly<Record<string, unknown>>,
    user: SimulatedUser,
  ): unknown {
    const id = String(given['id'])
    switch (question) {
      case 'markingDefinition':
        return describeMarking(this.#find(id, user, (type) => type === 'marking-definition'))
      case 'markingDefinitions':
        return this.#markings(given, user)
      case 'identity':
        return this.#identity(id, user)
      case 'container':
        return this.#container(id, user)
      case 'stixObjectOrStixRelationships':
        return this.#withIds(given, user)
    }
  }

  #markings(page: PageArguments, user: SimulatedUser): unknown {
    const markings = [...this.#knowledge.values()].filter(
      ({ object }) => object.type === 'marking-definition' && canRead(user, object),
    )
    return connectionOf(markings, page, describeMarking)
  }

  #identity(id: string, user: SimulatedUser): unknown {
    const stored = this.#find(id, user, (type) => type === 'identity')
    if (stored === undefined) return undefined
    const { name, description, identity_class: kind } = stored.object
    return { ...describe(stored), name, description, identity_class: kind ?? 'organization' }
  }

  #container(id: string, user: SimulatedUser): unknown {
    const stored = this.#find(id, user, isContainer)
    if (stored === undefined) return undefined
    const objects = (page: PageArguments) => {
      const held = textsOf(stored.object['object_refs'])
      return connectionOf(this.#all(held, user), page, describe)
    }
    return { ...describe(stored), objects }
  }

  /** The filter `ids` finds by internal, standard and former ids (OpenCTI platform, utils/filtering). */
  #withIds(given: Readonly<Record<string, unknown>>, user: SimulatedUser): unknown {
    const { filters } = (given['filters'] ?? {}) as { filters?: { key?: unknown; values?: unknown }[] }
    const [filter, ...others] = filters ?? []
    if (filter === undefined || others.length > 0 || [filter.key].flat().join() !== 'ids') {
      throw new GraphqlFailure('The simulator only knows the filter "ids" here.', 'NOT_IMPLEMENTED')
    }
    return connectionOf(this.#all(textsOf(filter.values), user), given, describe)
  }

  /** Those of the objects that the user may read, each once, in the order of the ids. */
  #all(ids: readonly string[], user: SimulatedUser): StoredObject[] {
    const found = new Set(ids.map((id) => this.#find(id, user)))
    return [...found].filter((stored) => stored !== undefined)
  }

  #find(
    id: string,
    user: SimulatedUser,
    fits: (type: string) => boolean = () => true,
  ): StoredObject | undefined {
    const stored = this.#knowledge.find(id)
    return stored !== undefined && fits(stored.object.type) && canRead(user, stored.object)
      ? stored
      : undefined
  }
}

function describe({ object, properties }: StoredObject): Record<string, unknown> {
  return {
    id: properties.id,
    standard_id: object.id,
    x_opencti_stix_ids: textsOf(properties['stix_ids']),
    entity_type: properties.type,
    representative: { main: representativeOf(object), secondary: '' },
  }
}

function describeMarking(stored: StoredObject | undefined): unknown {
  if (stored === undefined) return undefined
  const { object, properties } = stored
  return {
    ...describe(stored),
    definition_type: object['definition_type'],
    definition: object['name'],
    x_opencti_order: properties['order'] ?? 0,
    x_opencti_color: properties['color'],
    created: object['created'],
    modified: object['modified'],
  }
}

function connectionOf(
  items: readonly StoredObject[],
  { first, after }: PageArguments,
  describeItem: (stored: StoredObject) => unknown,
): unknown {
  const size = Math.min(typeof first === 'number' && first > 0 ? first : defaultPage, maxPage)
  const start = typeof after === 'string' ? Number(Buffer.from(after, 'base64').toString()) + 1 : 0
  const page = items.slice(start, start + size)
  const cursorOf = (index: number) => Buffer.from(String(start + index)).toString('base64')
  return {
    pageInfo: {
      startCursor: page.length === 0 ? '' : cursorOf(0),
      endCursor: page.length === 0 ? '' : cursorOf(page.length - 1),
      hasNextPage: start + page.length < items.length,
      hasPreviousPage: start > 0,
      globalCount: items.length,
    },
    edges: page.map((stored, index) => ({ cursor: cursorOf(index), node: describeItem(stored) })),
  }
}
