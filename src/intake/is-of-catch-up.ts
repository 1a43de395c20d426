/** What the envelope of a frame says when it tells what exists, or was pulled in, and not what has happened. */
const told = /"referer"\s*:\s*"init-/

/**
 * Whether a frame tells what exists, by the text of its envelope, so that nothing is parsed for it (OpenCTI platform,
 * graphql/sseMiddleware.js).
 */
export function isOfCatchUp(data: string): boolean {
  return told.test(data)
}
