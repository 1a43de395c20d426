import { StateError } from '../errors/state-error.ts'

/**
 * The client library. Loaded late, and here, so that a bundler leaves it out of connectors that do not have it.
 *
 * @throws StateError `STATE_UNREADABLE` if it is not installed.
 */
export async function redisLibrary() {
  try {
    return await import('redis')
  } catch (cause) {
    throw new StateError(
      'STATE_UNREADABLE',
      'The state in Redis requires the package redis, which is not installed. Add it to the connector: npm install redis',
      { cause },
    )
  }
}
