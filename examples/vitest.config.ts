import { defineConfig } from 'vitest/config'

/** For the tests of the examples, which run on the built package, as in a connector's own repository. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    // A filter on the command line would take "blocklist" for "dns-blocklist" as well.
    include: [`${process.env['EXAMPLE'] ?? '*'}/connector.test.ts`],
    // For the processes that the tests start: they run on the built package, too.
    env: {
      NODE_OPTIONS: `--import ${new URL('../scripts/resolve-package.ts?from=dist', import.meta.url).href}`,
    },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    server: { deps: { external: [/\/dist\//] } },
  },
})
