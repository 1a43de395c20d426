/**
 * For `node --import`: what a file of this checkout imports from the package by its name comes from the sources, or, with
 * `?from=dist`, from the built package. Files elsewhere are not touched.
 */
import { registerHooks } from 'node:module'

const root = new URL('..', import.meta.url).href
const isBuilt = new URL(import.meta.url).searchParams.get('from') === 'dist'
const doors: Readonly<Record<string, readonly [source: string, built: string]>> = {
  'opencti-stream-connector': ['src/index.ts', 'dist/index.js'],
  'opencti-stream-connector/redis': ['src/redis/index.ts', 'dist/redis.js'],
  'opencti-stream-connector/stix': ['src/stix/index.ts', 'dist/stix.js'],
  'opencti-stream-connector/postgresql': ['src/postgresql/index.ts', 'dist/postgresql.js'],
  'opencti-stream-connector/testing': ['src/testing/index.ts', 'dist/testing.js'],
}

registerHooks({
  resolve(specifier, context, next) {
    const door = doors[specifier]?.[isBuilt ? 1 : 0]
    const { parentURL = '' } = context
    const isOurs = parentURL.startsWith(root) && !parentURL.includes('/node_modules/')
    return next(door === undefined || !isOurs ? specifier : new URL(door, root).href, context)
  },
})
