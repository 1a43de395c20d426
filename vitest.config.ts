import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** Files that mostly wait, for child processes or for real time: begun first, they end while the others are at work. */
const longest = /chaos\/|target-outage|cli\/|status-page|exactly-once|monitoring|acceptance|package\//

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await BaseSequencer.prototype.sort.call(this, files)
    const isLong = ({ moduleId }: TestSpecification) => longest.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  resolve: {
    alias: [
      { find: 'opencti-stream-connector/redis', replacement: path('./src/redis/index.ts') },
      { find: 'opencti-stream-connector/stix', replacement: path('./src/stix/index.ts') },
      { find: 'opencti-stream-connector/postgresql', replacement: path('./src/postgresql/index.ts') },
      { find: 'opencti-stream-connector/testing', replacement: path('./src/testing/index.ts') },
      { find: 'opencti-stream-connector', replacement: path('./src/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // For the processes that the tests start: an example imports the package by its name.
    env: { NODE_OPTIONS: `--import ${pathToFileURL(path('./scripts/resolve-package.ts')).href}` },
    // Experiments at full size take their time on a busy machine, and none of them is about that.
    testTimeout: process.env['CHAOS'] === 'full' ? 180_000 : 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Two at least: half of the time of the tests is waiting.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // To load the sources anew for each of the files takes as long as the tests in them.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    coverage: { provider: 'v8', include: ['src/**'] },
  },
})
