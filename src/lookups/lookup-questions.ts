import { type z } from 'zod'
import { PlatformError } from '../errors/platform-error.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type GraphqlClient, type GraphqlRequest } from '../opencti/graphql.ts'
import { byEachId } from './by-each-id.ts'
import { filterByIds } from './filter-by-ids.ts'
import {
  authorAnswer,
  authorQuery,
  authorsAnswer,
  authorsQuery,
  markingsAnswer,
  markingsQuery,
  objectsAnswer,
  objectsQuery,
  type AuthorInfo,
  type ContainedObject,
  type ListedAuthor,
  type MarkingInfo,
} from './lookup-answers.ts'
import { type LookupGate } from './lookup-gate.ts'

const pageSize = 500

/** Real platforms have dozens of markings. */
const maxMarkingPages = 10

/** The queries behind lookups. Each runs once and returns the complete answer. */
export class LookupQuestions {
  readonly #options: LookupQuestionsOptions
  /** Whether this platform supports display names; versions before 5.8 do not. */
  #knowsNames = true
  /** Whether its lists can be filtered by id; before 5.12 they cannot. */
  #filtersByIds = true

  constructor(options: LookupQuestionsOptions) {
    this.#options = options
  }

  /** All markings visible to the user, by STIX id and OpenCTI id. */
  async markings(signal: AbortSignal): Promise<ReadonlyMap<string, MarkingInfo>> {
    const all = new Map<string, MarkingInfo>()
    let after: string | undefined
    for (let count = 0; count < maxMarkingPages; count++) {
      const { markingDefinitions: page } = await this.graphql('look up markings', {
        query: markingsQuery,
        variables: { first: pageSize, after },
        schema: markingsAnswer,
        signal,
      })
      for (const { node } of page?.edges ?? []) {
        const marking: MarkingInfo = {
          id: node.standard_id,
          name: node.definition ?? node.standard_id,
          type: node.definition_type ?? '',
          order: node.x_opencti_order ?? 0,
          color: node.x_opencti_color ?? undefined,
        }
        all.set(node.standard_id, marking).set(node.id, marking)
      }
      after = nextAfter(page?.pageInfo)
      if (after === undefined) break
    }
    return all
  }

  /** Authors with these ids, in the same order. */
  async authors(ids: readonly string[], signal: AbortSignal): Promise<readonly (AuthorInfo | undefined)[]> {
    if (this.#filtersByIds) {
      try {
        const found = byEachId(await this.#listedAuthors(ids, signal))
        return ids.map((id) => authorInfo(found.get(id)))
      } catch (error) {
        if (problemOf(error) !== 'invalid-query') throw error
      }
    }
    const authors = await Promise.all(ids.map((id) => this.#author(id, signal)))
    this.#filtersByIds = false
    return authors
  }

  async #listedAuthors(ids: readonly string[], signal: AbortSignal): Promise<readonly ListedAuthor[]> {
    const authors: ListedAuthor[] = []
    let after: string | undefined
    do {
      const { identities: page } = await this.graphql('look up authors', {
        query: authorsQuery,
        variables: { filters: filterByIds(ids), first: pageSize, after },
        schema: authorsAnswer,
        signal,
      })
      const edges = page?.edges ?? []
      for (const { node } of edges) authors.push(node)
      after = edges.length === 0 ? undefined : nextAfter(page?.pageInfo)
    } while (after !== undefined)
    return authors
  }

  async #author(id: string, signal: AbortSignal): Promise<AuthorInfo | undefined> {
    const { identity } = await this.graphql('look up authors', {
      query: authorQuery,
      variables: { id },
      schema: authorAnswer,
      signal,
    })
    return authorInfo(identity)
  }

  /** @throws StreamConnectorError `LOOKUP_TOO_LARGE` if the container has more than `maxObjects`. */
  async objects(id: string, maxObjects: number, signal: AbortSignal): Promise<readonly ContainedObject[]> {
    const objects: ContainedObject[] = []
    let after: string | undefined
    for (let seen = 0; ;) {
      const { container } = await this.ask('look up the contents of a container', signal, (both) =>
        this.#objectPage({ id, first: pageSize, after }, both),
      )
      const edges = container?.objects?.edges ?? []
      for (const edge of edges) {
        const node = edge?.node
        if (!node?.id || !node.standard_id) continue
        const name = node.representative?.main ?? undefined
        objects.push({ id: node.standard_id, internalId: node.id, type: node.entity_type ?? '', name })
      }
      seen += edges.length
      after = edges.length === 0 ? undefined : nextAfter(container?.objects?.pageInfo)
      const hasTooMany = after === undefined ? seen > maxObjects : seen >= maxObjects
      if (hasTooMany) {
        throw new StreamConnectorError(
          'LOOKUP_TOO_LARGE',
          `The container has more than ${maxObjects} objects. Raise maxObjects, or continue without them.`,
        )
      }
      if (after === undefined) return objects
    }
  }

  /**
   * @param what what the user may lack permission for, for the message. @throws PlatformError like
   *   `GraphqlClient.request`.
   */
  graphql<T>(what: string, request: GraphqlRequest<T>): Promise<T> {
    return this.ask(what, request.signal, (signal) => this.#options.graphql.request({ ...request, signal }))
  }

  async #objectPage(
    variables: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<z.infer<typeof objectsAnswer>> {
    const { graphql } = this.#options
    const ask = (names: boolean) =>
      graphql.request({ query: objectsQuery(names), variables, schema: objectsAnswer, signal })
    if (!this.#knowsNames) return ask(false)
    try {
      return await ask(true)
    } catch (error) {
      if (problemOf(error) !== 'invalid-query') throw error
      const answer = await ask(false)
      this.#knowsNames = false
      return answer
    }
  }

  /** Runs anything through the gate. @param what what the user may lack permission for, for the message. */
  async ask<T>(
    what: string,
    signal: AbortSignal | undefined,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const both = AbortSignal.any([signal, this.#options.stopped].filter((each) => each !== undefined))
    try {
      return await this.#options.gate.run(() => ask(both), both)
    } catch (error) {
      if (problemOf(error) !== 'forbidden') throw error
      throw new PlatformError(
        'PLATFORM_REFUSED',
        `The OpenCTI platform does not let the token's user ${what}. Give the user a role with the capability "Access ` +
          'knowledge" (KNOWLEDGE), which lookups require in addition to the connector role.',
        { status: (error as PlatformError).status, problem: 'forbidden' },
      )
    }
  }
}

export interface LookupQuestionsOptions {
  readonly graphql: GraphqlClient
  readonly gate: LookupGate
  /** Aborted when work in flight is abandoned. */
  readonly stopped?: AbortSignal | undefined
}

function authorInfo(author: ListedAuthor | null | undefined): AuthorInfo | undefined {
  return author ? { id: author.standard_id, name: author.name, type: author.entity_type } : undefined
}

function nextAfter(
  info: { readonly hasNextPage: boolean; readonly endCursor?: string | null | undefined } | undefined,
): string | undefined {
  return info?.hasNextPage === true && info.endCursor ? info.endCursor : undefined
}

function problemOf(error: unknown): PlatformError['problem'] {
  return isStreamConnectorError(error) ? (error as PlatformError).problem : undefined
}
