import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The headings of a file, in their order: comments of one line before an empty one. */
async function headingsOf(file: string): Promise<string[]> {
  const text = await readFile(join(root, file), 'utf8')
  return [...text.matchAll(/^\/\/ (.+)\n\n(?=export (type )?\{)/gm)].map(([, heading]) => heading!)
}

test('the API reference has pages for our exports and no others, grouped like the entry files', async () => {
  const out = await temporaryFolder()
  const typedoc = join(root, 'node_modules/typedoc/bin/typedoc')
  await promisify(execFile)(process.execPath, [typedoc, '--out', out], { cwd: root })
  const files = await readdir(out, { recursive: true })
  const pages = files.filter((name) => name.endsWith('.html'))
  expect(pages.length).toBeGreaterThan(200)
  expect(pages.length).toBeLessThan(450)
  expect(pages.filter((name) => /[/.](z|core|util)\./.test(name))).toEqual([])
  expect(pages).toEqual(
    expect.arrayContaining(['classes/index.StreamConnector.html', 'functions/index.observablesOf.html']),
  )

  const groupsOn = async (page: string) => {
    const html = await readFile(join(out, 'modules', page), 'utf8')
    return [...html.matchAll(/<h2[^>]*>(.*?)<\/h2>/g)].map(([, title]) => title!.replaceAll(/<[^>]+>/g, ''))
  }
  const [main, stix] = [await headingsOf('src/index.ts'), await headingsOf('src/stix/index.ts')]
  expect(new Set(await groupsOn('index.html'))).toEqual(new Set([...main, ...stix]))
  // In the order of the file, in which those of the other entry have their place.
  expect((await groupsOn('index.html')).filter((title) => main.includes(title))).toEqual(main)
  expect(await groupsOn('stix.html')).toEqual(stix)
  expect(await groupsOn('testing.html')).toEqual(await headingsOf('src/testing/index.ts'))
}, 120_000)
