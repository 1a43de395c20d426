/**
 * For `node --import`: what a file of this checkout imports from the package by its name comes from the sources, as in the
 * tests. Files elsewhere are not touched.
 */
import { registerHooks } from 'node:module'

const root = new URL('..', import.meta.url).href
const doors: Readonly<Record<string, string>> = {
  'opencti-stream-connector': 'src/index.ts',
  'opencti-stream-connector/stix': 'src/stix/index.ts',
  'opencti-stream-connector/testing': 'src/testing/index.ts',
}

registerHooks({
  resolve(specifier, context, next) {
    const door = doors[specifier]
    const { parentURL = '' } = context
    const isOurs = parentURL.startsWith(root) && !parentURL.includes('/node_modules/')
    return next(door === undefined || !isOurs ? specifier : new URL(door, root).href, context)
  },
})
