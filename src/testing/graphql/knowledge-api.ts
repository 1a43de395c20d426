import { observableExtension } from '../../stix/extensions.ts'
import { type Platform } from '../knowledge/platform.ts'
import { isObservable } from '../knowledge/entity-types.ts'
import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { type StixObject } from '../knowledge/stix-object.ts'
import { canRead, type SimulatedUser } from '../live/access.ts'
import { KnowledgeAnswers } from './knowledge-answers.ts'
import { allowWithin, GraphqlFailure } from './graphql-failure.ts'

/** The fields that {@link KnowledgeApi} answers. */
const fields = new Set([
  'markingDefinition',
  'markingDefinitions',
  'identity',
  'container',
  'stix',
  'stixObjectOrStixRelationships',
  'externalReferenceAdd',
  'stixDomainObjectEdit',
  'stixCyberObservableEdit',
  'stixCoreRelationshipEdit',
  'stixSightingRelationshipEdit',
])

/** What GraphQL tells of the knowledge itself, and what connectors write back to it. */
export class KnowledgeApi {
  readonly #platform: Platform
  readonly #answers: KnowledgeAnswers

  constructor(platform: Platform) {
    this.#platform = platform
    this.#answers = new KnowledgeAnswers(platform.knowledge)
  }

  answers(field: string): boolean {
    return fields.has(field)
  }

  resolve(field: string, given: Readonly<Record<string, unknown>>, user: SimulatedUser): unknown {
    switch (field) {
      case 'markingDefinition':
      case 'markingDefinitions':
      case 'identity':
      case 'container':
      case 'stixObjectOrStixRelationships':
        allowWithin(user, 'KNOWLEDGE')
        return this.#answers.resolve(field, given, user)
      case 'stix':
        return this.#visible(given['id'], user)?.json() ?? null
      case 'externalReferenceAdd':
        allowWithin(user, 'KNOWLEDGE_KNUPDATE')
        return this.#addReference(given['input'], user)
      default:
        allowWithin(user, 'KNOWLEDGE_KNUPDATE')
        return {
          relationAdd: ({ input }: { input?: unknown }) => this.#relate(field, given['id'], input, user),
        }
    }
  }

  #visible(id: unknown, user: SimulatedUser): StoredObject | undefined {
    const stored = typeof id === 'string' ? this.#platform.knowledge.find(id) : undefined
    return stored !== undefined && canRead(user, stored.object) ? stored : undefined
  }

  /** Adding what is there already answers it: a reference is known by its address, else by its source and id. */
  #addReference(input: unknown, user: SimulatedUser): unknown {
    const { source_name, url, external_id } = (input ?? {}) as Record<string, unknown>
    if (typeof source_name !== 'string' || source_name === '') {
      throw new GraphqlFailure(
        'Field "source_name" of required type was not provided.',
        'BAD_USER_INPUT',
        400,
      )
    }
    const isSame = ({ object }: StoredObject) =>
      object.type === 'external-reference' &&
      (typeof url === 'string' && url !== ''
        ? object['url'] === url
        : object['source_name'] === source_name && object['external_id'] === external_id)
    const known = [...this.#platform.knowledge.values()].find(isSame)
    const stored =
      known ??
      this.#platform.create(
        {
          type: 'external-reference',
          source_name,
          ...(typeof url === 'string' && { url }),
          ...(typeof external_id === 'string' && { external_id }),
        },
        { by: user.id },
      )
    return { id: stored.properties.id, standard_id: stored.object.id }
  }

  #relate(edit: string, id: unknown, input: unknown, user: SimulatedUser): unknown {
    const { toId, relationship_type } = (input ?? {}) as Record<string, unknown>
    const stored = this.#visible(id, user)
    if (stored === undefined || editOf(stored.object) !== edit)
      throw new GraphqlFailure('Element can not be loaded', 'FUNCTIONAL_ERROR')
    const target = this.#visible(toId, user)
    if (target === undefined || relationship_type !== 'external-reference') {
      throw new GraphqlFailure('The simulator only adds external references here.', 'NOT_IMPLEMENTED')
    }
    const { source_name, url, external_id } = target.object as Record<string, unknown>
    const reference = {
      source_name,
      ...(url !== undefined && { url }),
      ...(external_id !== undefined && { external_id }),
    }
    const text = JSON.stringify(reference)
    const references = referencesOf(stored.object)
    if (!references.some((each) => JSON.stringify(each) === text)) {
      this.#platform.update(
        stored.properties.id,
        { external_references: [...references, reference] },
        { by: user.id },
      )
    }
    return { id: `${stored.properties.id}-${target.properties.id}` }
  }
}

/** The edit that takes objects of a type. */
function editOf(object: StixObject): string {
  if (object.type === 'sighting') return 'stixSightingRelationshipEdit'
  if (object.type === 'relationship') return 'stixCoreRelationshipEdit'
  return isObservable(object.type) ? 'stixCyberObservableEdit' : 'stixDomainObjectEdit'
}

function referencesOf(object: StixObject): unknown[] {
  const list =
    object['external_references'] ?? object.extensions?.[observableExtension]?.['external_references']
  return Array.isArray(list) ? list : []
}
