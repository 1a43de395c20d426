import { GraphQLError, type ValidationRule } from 'graphql'

/** Maximum number of calls of the same field of these types per document, regardless of aliases. */
const maxCalls: Readonly<Record<string, number>> = { Query: 2, Mutation: 1 }

/**
 * The platform's protection against batching in one document (OpenCTI platform,
 * `app:graphql:batching_protection`).
 */
export const repeatedFieldsRule: ValidationRule = (context) => {
  const calls = new Map<string, number>()
  return {
    Field(node) {
      const type = context.getParentType()?.name ?? ''
      const max = maxCalls[type]
      if (max === undefined || node.name.value.startsWith('__')) return
      const call = `${type}->${node.name.value}`
      const count = (calls.get(call) ?? 0) + 1
      calls.set(call, count)
      if (count !== max + 1) return
      context.reportError(
        new GraphQLError(`Allowed number of calls for ${call} has been exceeded (max: ${max})`, {
          nodes: node,
        }),
      )
    },
  }
}
