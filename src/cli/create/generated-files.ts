import { type ExampleNeeds } from './packaged-example.ts'

/** `.gitignore`: what a running connector and npm leave behind, and secrets. */
export const gitIgnore = `node_modules/
state/
config.yml
.env
*.log
`

/** `.dockerignore`: what does not belong into an image. */
export const dockerIgnore = `.git
.github
node_modules
state
config.yml
.env
*.log
*.sample
*.md
*.test.*
vitest.config.*
`

/** `vitest.config.ts` or `.js`: a test starts a server, and waits for a connector that is killed again and again. */
export const vitestConfig = `import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { testTimeout: 120_000, hookTimeout: 120_000 } })
`

/** `tsconfig.json` for code that Node runs as it is. */
export const typeScriptConfig = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023', 'ES2024.Promise', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noImplicitOverride: true,
    noPropertyAccessFromIndexSignature: true,
    noFallthroughCasesInSwitch: true,
    noUnusedLocals: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  },
  include: ['*.ts'],
}

/** A workflow for GitHub that tests against the real server and builds the image. */
export function ciWorkflow(needs: ExampleNeeds, isJavaScript: boolean): string {
  const steps = [
    'uses: actions/checkout@v4',
    'uses: actions/setup-node@v4\n        with: { node-version: 24, cache: npm }',
    'run: npm ci',
    ...(isJavaScript ? [] : ['run: npm run types']),
    ...installationSteps(needs).map((command) => `run: ${command}`),
    'run: npm test',
    'run: docker build .',
  ]
  return `name: CI
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
${steps.map((step) => `      - ${step}`).join('\n')}
`
}

/** RUNLEVEL=1 keeps the packages from starting a service: the test starts its own. */
function installationSteps({ debian = [], pypi = [], install }: ExampleNeeds): string[] {
  const apt = 'sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get'
  return [
    ...(debian.length > 0
      ? [`${apt} update && ${apt} install -y --no-install-recommends ${debian.join(' ')}`]
      : []),
    ...(pypi.length > 0
      ? [
          `python3 -m venv .venv && .venv/bin/pip install ${pypi.join(' ')} && echo "$PWD/.venv/bin" >>"$GITHUB_PATH"`,
        ]
      : []),
    ...(install === undefined ? [] : [`bash ${install}`]),
  ]
}
