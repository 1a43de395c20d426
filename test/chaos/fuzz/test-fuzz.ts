import * as fc from 'fast-check'
import { test } from 'vitest'
import { isFullChaos, scaled } from '../scale.ts'

const { FUZZ_SECONDS, FUZZ_SEED, FUZZ_PATH } = process.env

/** How long each fuzzer generates inputs; `FUZZ_SECONDS` overrides it. */
const seconds = scaled(1, 40, 'FUZZ_SECONDS')

/** Fixed, so that a green suite stays green; random with `FUZZ_SECONDS`. */
const fixedSeed = 20_261_126
const seed = Number(
  FUZZ_SEED ?? (FUZZ_SECONDS === undefined ? fixedSeed : Math.trunc(Math.random() * 2 ** 31)),
)

/** An attempt that takes longer counts as hanging, in milliseconds. */
const hangMs = 60_000

/**
 * A test that tries inputs for a span of time. It fails with the smallest input that fails, and with what to set so that this
 * one is tried first: `FUZZ_SEED` and `FUZZ_PATH`.
 */
export function testFuzz<Input>(
  title: string,
  inputs: fc.Arbitrary<Input>,
  attempt: (input: Input) => void | Promise<void>,
): void {
  test(
    title,
    async () => {
      const attemptOf = async (input: Input) => attempt(input)
      let last: Promise<void> | undefined
      const property = fc.asyncProperty(inputs, (input) => {
        last = attemptOf(input)
        return last
      })
      const result = await fc.check(property, {
        seed,
        ...(FUZZ_PATH !== undefined && { path: FUZZ_PATH }),
        numRuns: Number.MAX_SAFE_INTEGER,
        interruptAfterTimeLimit: seconds * 1000,
        timeout: hangMs,
      })
      if (result.failed)
        throw new Error(
          `FUZZ_SEED=${result.seed} FUZZ_PATH=${result.counterexamplePath} tries this again\n${fc.defaultReportMessage(result)}`,
          { cause: result.errorInstance },
        )
      if (isFullChaos || FUZZ_SECONDS !== undefined)
        console.log(`${title}: ${result.numRuns} inputs, seed ${seed}`)
      // On a busy machine the time may be over before the first attempt is made, or in the midst of one.
      last ??= attemptOf(fc.sample(inputs, { seed, numRuns: 1 })[0]!)
      await last
    },
    seconds * 1000 + 2 * hangMs,
  )
}
