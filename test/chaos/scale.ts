/** Whether `npm run test:chaos` or `test:servers` runs, with experiments at full size; `npm test` runs small ones. */
export const isFullChaos = process.env['CHAOS'] === 'full'

/** The size of an experiment: small in `npm test`, full in `npm run test:chaos` and `test:servers`; `variable` overrides it. */
export function scaled(small: number, full: number, variable?: string): number {
  const byHand = variable === undefined ? undefined : process.env[variable]
  return byHand === undefined ? (isFullChaos ? full : small) : Number(byHand)
}
