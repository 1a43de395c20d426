/** Whether `npm run test:chaos` runs: each experiment at its full size. In `npm test`, each is tried in small. */
export const isFullChaos = process.env['CHAOS'] === 'full'

/** The size of an experiment: small in `npm test`, full in `npm run test:chaos`; `variable` sets it by hand. */
export function scaled(small: number, full: number, variable?: string): number {
  const byHand = variable === undefined ? undefined : process.env[variable]
  return byHand === undefined ? (isFullChaos ? full : small) : Number(byHand)
}
