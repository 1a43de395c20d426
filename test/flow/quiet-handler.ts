import { type OperationHandler } from '../../src/flow/operation-handler.ts'

/** A handler for tests that only look at what is delivered: nothing is made of the rest. */
export const quietHandler: Omit<OperationHandler, 'deliver'> = {
  itemsTaken: ({ outcome }) => outcome,
  flush: async () => [],
  itemBytes: () => 0,
  skipped: () => {},
}
