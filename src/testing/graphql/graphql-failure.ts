import { type Capability, type SimulatedUser } from '../live/access.ts'

/** An error that becomes an entry of `errors` in the answer. */
export class GraphqlFailure extends Error {
  readonly code: string
  readonly status: number

  constructor(message: string, code: string, status = 200) {
    super(message)
    this.code = code
    this.status = status
  }
}

/** @throws GraphqlFailure unless the user has the capability itself. */
export function allow(user: SimulatedUser, capability: Capability): void {
  if (user.capabilities.has(capability) || user.capabilities.has('BYPASS')) return
  throw notAllowed()
}

/**
 * @throws GraphqlFailure unless a capability of the user contains the name, as `KNOWLEDGE_KNUPDATE` contains
 * `KNOWLEDGE` (OpenCTI platform, graphql/authDirective.js).
 */
export function allowWithin(user: SimulatedUser, capability: Capability): void {
  if ([...user.capabilities].some((each) => each === 'BYPASS' || each.includes(capability))) return
  throw notAllowed()
}

function notAllowed(): GraphqlFailure {
  return new GraphqlFailure('You are not allowed to do this.', 'FORBIDDEN_ACCESS')
}
