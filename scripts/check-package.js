// Before the package is packed (and, with "--publish", published): what npm's own rules and "files" cannot hold back.
import { readdirSync, readFileSync } from 'node:fs'

const problems = readdirSync('.')
  .filter(
    (name) =>
      /^(readme|licen[cs]e|copying)(\..*[^~$])?$/i.test(name) && !['README.md', 'LICENSE'].includes(name),
  )
  .map((name) => `${name} would be packed: npm takes every file of such a name. Move it away.`)

if (process.argv.includes('--publish')) {
  const { homepage, bugs, repository } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const [field, value] of Object.entries({
    homepage,
    'bugs.url': bugs.url,
    'repository.url': repository.url,
  }))
    if (!value)
      problems.push(`"${field}" in package.json is empty. Fill it in: see "A release" in CONTRIBUTING.md.`)
}

for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1
