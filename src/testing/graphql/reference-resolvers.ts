import { observableExtension } from '../../stix/types/extensions.ts'
import { isObservable } from '../knowledge/entity-types.ts'
import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { type Platform } from '../knowledge/platform.ts'
import { type StixObject } from '../knowledge/stix-object.ts'
import { type SimulatedUser } from '../live/access.ts'
import { type RootResolver } from './graphql-api.ts'
import { allow, GraphqlFailure } from './graphql-failure.ts'
import { ObjectDescriptions } from './object-description.ts'

const edits = [
  'stixDomainObjectEdit',
  'stixCyberObservableEdit',
  'stixCoreRelationshipEdit',
  'stixSightingRelationshipEdit',
]

/** Knowledge connectors write: external references, created and attached to objects. */
export function referenceResolvers(platform: Platform): Record<string, RootResolver> {
  const relate = (edit: string, id: unknown, user: SimulatedUser) => ({
    relationAdd: ({ input }: { input: Readonly<Record<string, unknown>> }) =>
      add(platform, edit, id, input, user),
  })
  return {
    externalReferenceAdd: ({ input }, user) =>
      addReference(platform, input as Readonly<Record<string, unknown>>, allow(user, 'KNOWLEDGE_KNUPDATE')),
    ...Object.fromEntries(
      edits.map((edit): [string, RootResolver] => [
        edit,
        ({ id }, user) => relate(edit, id, allow(user, 'KNOWLEDGE_KNUPDATE')),
      ]),
    ),
  }
}

/** Returns an existing reference instead of adding a duplicate, matched by URL, or else by source and id. */
function addReference(
  platform: Platform,
  { source_name, url, external_id, description }: Readonly<Record<string, unknown>>,
  user: SimulatedUser,
): unknown {
  const isSame = ({ object }: StoredObject) =>
    object.type === 'external-reference' &&
    (typeof url === 'string' && url !== ''
      ? object['url'] === url
      : object['source_name'] === source_name && object['external_id'] === external_id)
  const known = [...platform.knowledge.values()].find(isSame)
  const stored =
    known ??
    platform.create(
      {
        type: 'external-reference',
        source_name,
        ...(typeof url === 'string' && { url }),
        ...(typeof external_id === 'string' && { external_id }),
        ...(typeof description === 'string' && { description }),
      },
      { by: user.id },
    )
  return new ObjectDescriptions(platform.knowledge, user).describe(stored)
}

function add(
  platform: Platform,
  edit: string,
  id: unknown,
  { toId, relationship_type }: Readonly<Record<string, unknown>>,
  user: SimulatedUser,
): unknown {
  const descriptions = new ObjectDescriptions(platform.knowledge, user)
  const stored = descriptions.find(id)
  if (stored === undefined || editOf(stored.object) !== edit)
    throw new GraphqlFailure('Element can not be loaded', 'FUNCTIONAL_ERROR')
  const target = descriptions.find(toId)
  if (target === undefined || relationship_type !== 'external-reference') {
    throw new GraphqlFailure(
      'The simulator only supports adding external references here.',
      'UNSUPPORTED_ERROR',
    )
  }
  const { source_name, url, external_id, description } = target.object as Record<string, unknown>
  const reference = {
    source_name,
    ...(description !== undefined && { description }),
    ...(url !== undefined && { url }),
    ...(external_id !== undefined && { external_id }),
  }
  const text = JSON.stringify(reference)
  const references = referencesOf(stored.object)
  if (!references.some((each) => JSON.stringify(each) === text)) {
    platform.update(
      stored.properties.id,
      { external_references: [...references, reference] },
      { by: user.id },
    )
  }
  return { id: `${stored.properties.id}-${target.properties.id}` }
}

/** The mutation for objects of a type. */
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
