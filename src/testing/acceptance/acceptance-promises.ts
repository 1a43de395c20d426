import { type AcceptancePromise } from './acceptance-promise.ts'
import { platformPromises } from './platform-promises.ts'
import { refusalPromises } from './refusal-promises.ts'
import { targetPromises } from './target-promises.ts'

/** All promises, in the order in which they are tried. */
export const acceptancePromises: readonly AcceptancePromise[] = [
  ...platformPromises,
  ...targetPromises,
  ...refusalPromises,
]
