import { type Capability, type SimulatedUser } from '../live/access.ts'

/** A platform error with its code. Becomes an entry of `errors` in the answer. */
export class GraphqlFailure extends Error {
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

/** @throws GraphqlFailure if nobody is logged in. */
export function required(user: SimulatedUser | undefined): SimulatedUser {
  if (user === undefined) throw new GraphqlFailure('You must be logged in to do this.', 'AUTH_REQUIRED')
  return user
}

/**
 * @throws GraphqlFailure unless one of the user's capabilities contains the name, as `MODULES_MODMANAGE`
 *   contains `MODULES` (OpenCTI platform, graphql/authDirective.js).
 */
export function allow(user: SimulatedUser | undefined, capability: Capability): SimulatedUser {
  const reader = required(user)
  if ([...reader.capabilities].some((each) => each === 'BYPASS' || each.includes(capability))) return reader
  throw new GraphqlFailure('You are not allowed to do this.', 'FORBIDDEN_ACCESS')
}
