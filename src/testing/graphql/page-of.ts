/** The requested page of a list. */
export interface PageArguments {
  readonly first?: unknown
  readonly after?: unknown
}

/** Largest page, as on the platform (`elasticsearch:max_pagination_result`). */
const maxPage = 5000

const defaultPage = 500

/** A page of a list in GraphQL, with cursors. */
export function pageOf<T>(
  items: readonly T[],
  { first, after }: PageArguments,
  describe: (item: T) => unknown,
): Record<string, unknown> {
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
    edges: page.map((item, index) => ({ cursor: cursorOf(index), node: describe(item) })),
  }
}
