import { defineConfig } from 'vitest/config'

/** For the tests of the examples, which run on the built package, as in a connector's own repository. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*/connector.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    server: { deps: { external: [/\/dist\//] } },
  },
})
