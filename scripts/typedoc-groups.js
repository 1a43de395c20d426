// A plugin of TypeDoc: groups the exports of each entry as the comments in its file group them.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Application, Comment, CommentTag, Converter, ReflectionKind } from 'typedoc'

/** @param {import('typedoc').Application} app */
export function load(app) {
  /** The groups of each entry, by its name. */
  let entries
  app.on(Application.EVENT_BOOTSTRAP_END, () => {
    const paths = app.options.getValue('entryPoints')
    entries = new Map(paths.map((path) => [entryName(path), groupsOf(path)]))
    const titles = paths.flatMap((path) => Array.from(groupsOf(path).values()))
    app.options.setValue('groupOrder', [...new Set(titles), '*'])
  })
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      for (const child of module.children ?? []) {
        const text = entries.get(module.name).get(child.name)
        if (text === undefined) continue
        child.comment ??= new Comment()
        child.comment.blockTags.push(new CommentTag('@group', [{ kind: 'text', text }]))
      }
    }
  })
}

/** "src/testing/index.ts" → "testing", as TypeDoc calls it. */
function entryName(path) {
  return /src\/(.*)\/index\.ts$/.exec(path)?.[1] ?? 'index'
}

/** The heading that each exported name stands under. */
function groupsOf(path) {
  const groups = new Map()
  let title
  // A comment of one line, before an empty one, is a heading.
  const parts = /^\/\/ (.+)\n\n|^export \* from '(.+)'|^export (?:type )?\{([^}]*)\}/gm
  for (const [, heading, other, names] of readFileSync(path, 'utf8').matchAll(parts)) {
    if (heading !== undefined) title = heading
    else if (other !== undefined)
      for (const [name, group] of groupsOf(join(dirname(path), other))) groups.set(name, group)
    else for (const [name] of names.matchAll(/\w+(?=\s*(,|$))/g)) groups.set(name, title)
  }
  return groups
}
